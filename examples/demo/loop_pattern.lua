-- expect: time limit
-- A loop inside one call of C code: a pattern that backtracks without end. Lua's
-- own count hook would never be called.
local text = string.rep("a", 3000)
print(string.find(text, ".-.-.-.-.-.-.-.-b"))
