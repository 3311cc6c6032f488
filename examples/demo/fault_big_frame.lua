-- expect: stack overflow
-- One C function with a frame of 1 MiB, on a stack of 256 KiB.
local buggy = require("buggy")
local function step(depth)
    if depth > 0 then
        return step(depth - 1) + 1
    end
    return buggy.big_frame()
end
print(step(3))
