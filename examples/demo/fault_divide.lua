-- expect: arithmetic fault
-- Divides by zero in C, which faults instead of raising a Lua error.
local buggy = require("buggy")
local function step(depth)
    if depth > 0 then
        return step(depth - 1) + 1
    end
    return buggy.divide()
end
print(step(3))
