-- Sums an array through a pointer. The second pointer is null.
local ffi = require "ffi"

local function sum(numbers, count)
    local total = 0
    for i = 0, count - 1 do total = total + numbers[i] end
    return total
end

local numbers = ffi.new("int32_t[?]", 1000, 1)
print(sum(ffi.cast("int32_t *", numbers), 1000))
print(sum(ffi.cast("int32_t *", 0), 1000))
