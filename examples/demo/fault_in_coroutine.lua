-- expect: null pointer access
-- The same null write, three Lua coroutines deep: the report shows the Lua frames
-- of each of them.
local buggy = require("buggy")
local function innermost()
    return buggy.null_write()
end
local middle = coroutine.wrap(function()
    local inner = coroutine.create(innermost)
    return coroutine.resume(inner)
end)
local outer = coroutine.wrap(function() return middle() end)
print(outer())
