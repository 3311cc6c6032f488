-- expect: ok
-- The spectral norm of an infinite matrix, by the power method on 100 rows.
local function a(i, j)
    local ij = i + j - 1
    return 1.0 / (ij * (ij - 1) * 0.5 + i)
end

local function times(n, x, get)
    local y = {}
    for i = 1, n do
        local sum = 0
        for j = 1, n do sum = sum + x[j] * get(i, j) end
        y[i] = sum
    end
    return y
end

local function times_both(n, x)
    local y = times(n, x, a)
    return times(n, y, function(i, j) return a(j, i) end)
end

local n, u, v = 100, {}, nil
for i = 1, n do u[i] = 1 end
for _ = 1, 10 do
    v = times_both(n, u)
    u = times_both(n, v)
end
local uv, vv = 0, 0
for i = 1, n do
    uv, vv = uv + u[i] * v[i], vv + v[i] * v[i]
end
local norm = string.format("%.6f", math.sqrt(uv / vv))
print("spectral norm: " .. norm)
assert(norm == "1.274220", norm)
