-- expect: null pointer access
-- Reads through a null pointer, at the offset of a field.
local buggy = require("buggy")
local function step(depth)
    if depth > 0 then
        return step(depth - 1) + 1
    end
    return buggy.null_read()
end
print(step(3))
