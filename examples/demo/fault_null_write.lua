-- expect: null pointer access
-- Writes through a null pointer.
local buggy = require("buggy")
local function step(depth)
    if depth > 0 then
        return step(depth - 1) + 1
    end
    return buggy.null_write()
end
print(step(3))
