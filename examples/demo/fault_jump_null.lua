-- expect: null pointer access
-- Calls a function pointer that is null.
local buggy = require("buggy")
local function step(depth)
    if depth > 0 then
        return step(depth - 1) + 1
    end
    return buggy.jump_null()
end
print(step(3))
