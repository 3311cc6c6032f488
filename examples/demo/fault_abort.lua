-- expect: abort
-- Calls abort, which ends a process that has no moat.
local buggy = require("buggy")
local function step(depth)
    if depth > 0 then
        return step(depth - 1) + 1
    end
    return buggy.abort()
end
print(step(3))
