-- Faults in a side trace, which begins in the middle of another. Its frame
-- layout is not known, so the backtrace guesses the way to the root.
local ffi = require "ffi"

local function weigh(numbers, count)
    local total = 0
    for i = 1, count do
        if i % 100 == 0 then
            total = total + numbers[i]
        else
            total = total + i
        end
    end
    return total
end

local numbers = ffi.cast("int32_t *", ffi.new("int32_t[?]", 1001, 1))
for _ = 1, 3 do weigh(numbers, 1000) end
print(weigh(numbers, 1000))
print(weigh(ffi.cast("int32_t *", 0), 1000))
