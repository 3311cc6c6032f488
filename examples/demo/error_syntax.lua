-- expect: load error
-- Not Lua: an unfinished function.
local function f(x
    return x + 1
end
