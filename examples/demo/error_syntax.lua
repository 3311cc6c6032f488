-- expect: load error
-- A syntax error: an unfinished function.
local function f(x
    return x + 1
end
