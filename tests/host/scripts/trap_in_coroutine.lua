-- A null write in C, called from a Lua coroutine inside a Lua coroutine.
local buggy = require("buggy")

local function innermost()
    return (buggy.null_write())
end
local outer = coroutine.create(function()
    local inner = coroutine.wrap(innermost)
    return (inner())
end)
print(coroutine.resume(outer))
