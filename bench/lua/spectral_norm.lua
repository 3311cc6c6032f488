-- The largest singular value of an infinite matrix, by the power method: calls
-- of small functions, arrays of numbers.
--
-- SPDX-License-Identifier: MIT
local N = 350

local function element(i, j)
  local sum = i + j - 2
  return 1 / (sum * (sum + 1) / 2 + i)
end

local function times(vector, out, transposed)
  for i = 1, N do
    local sum = 0
    for j = 1, N do
      sum = sum + vector[j] * (transposed and element(j, i) or element(i, j))
    end
    out[i] = sum
  end
end

local u, v, t = {}, {}, {}
for i = 1, N do
  u[i] = 1
end
for _ = 1, 10 do
  times(u, t, false)
  times(t, v, true)
  times(v, t, false)
  times(t, u, true)
end
local uv, vv = 0, 0
for i = 1, N do
  uv, vv = uv + u[i] * v[i], vv + v[i] * v[i]
end
print(string.format("%.9f", (uv / vv) ^ 0.5))
