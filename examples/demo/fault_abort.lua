-- expect: abort
-- Calls abort, which would end a process without moat.
local buggy = require("buggy")
local function step(depth)
    if depth > 0 then
        return step(depth - 1) + 1
    end
    return buggy.abort()
end
print(step(3))
