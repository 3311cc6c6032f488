-- expect: stack overflow
-- string.gsub whose callback calls string.gsub: each level keeps a buffer and a
-- match state on the C stack, which ends before Lua's own limit of 200 nested C
-- calls is reached.
local function replace(text)
    return (string.gsub(text, ".", replace))
end
print(replace("x"))
