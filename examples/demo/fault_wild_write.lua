-- expect: invalid memory access
-- Writes to an unmapped address.
local buggy = require("buggy")
local function step(depth)
    if depth > 0 then
        return step(depth - 1) + 1
    end
    return buggy.wild_write()
end
print(step(3))
