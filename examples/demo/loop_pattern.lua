-- expect: time limit
-- A loop inside one call of C code: a pattern that backtracks without end. Lua's
-- count hook would never stop it.
local text = string.rep("a", 3000)
print(string.find(text, ".-.-.-.-.-.-.-.-b"))
