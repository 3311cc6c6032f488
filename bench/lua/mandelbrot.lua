-- A picture of a set, as its number of points: floating point in one loop.
--
-- SPDX-License-Identifier: MIT
local SIZE, STEPS = 400, 50

local inside = 0
for row = 0, SIZE - 1 do
  local ci = 2 * row / SIZE - 1
  for column = 0, SIZE - 1 do
    local cr = 2 * column / SIZE - 1.5
    local r, i, r2, i2, step = 0.0, 0.0, 0.0, 0.0, 0
    while step < STEPS and r2 + i2 <= 4 do
      i = 2 * r * i + ci
      r = r2 - i2 + cr
      r2, i2 = r * r, i * i
      step = step + 1
    end
    if step == STEPS then
      inside = inside + 1
    end
  end
end
print(inside)
