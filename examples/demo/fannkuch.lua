-- expect: ok
-- Pancake flipping: the maximum number of flips over all orders of eight.
local N = 8
local most, orders = 0, 0

local function flips(order)
    local p, count = table.move(order, 1, N, 1, {}), 0
    while p[1] ~= 1 do
        local first = p[1]
        for i = 1, first // 2 do
            p[i], p[first + 1 - i] = p[first + 1 - i], p[i]
        end
        count = count + 1
    end
    return count
end

local function permute(order, k)
    if k == 1 then
        orders = orders + 1
        most = math.max(most, flips(order))
        return
    end
    for i = 1, k do
        permute(order, k - 1)
        local j = k % 2 == 0 and i or 1
        order[j], order[k] = order[k], order[j]
    end
end

local order = {}
for i = 1, N do order[i] = i end
permute(order, N)
print(string.format("fannkuch(%d): %d orders, %d flips", N, orders, most))
assert(orders == 40320 and most == 22)
