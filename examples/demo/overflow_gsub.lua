-- expect: stack overflow
-- string.gsub whose callback is string.gsub again: each level keeps a buffer
-- and a match state on the C stack, and Lua's own limit of 200 nested C calls
-- comes after the end of the stack.
local function replace(text)
    return (string.gsub(text, ".", replace))
end
print(replace("x"))
