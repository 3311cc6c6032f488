-- require finds modules beside the script and C modules that were named only.
local sub = require("sub.inner")
assert(sub.name == "sub.inner" and sub.path == "sub/inner.lua")
assert(require("sub.inner") == sub and package.loaded["sub.inner"] == sub)
assert(require("sub.silent") == true)
assert(type(require("buggy").null_write) == "function")

for _, name in ipairs({
    "", ".", "..", "../fine", "..fine", "sub..inner", ".sub", "sub.", "/etc/passwd",
    "sub/inner", "sub\\inner", "fine\0", "fi ne", "fine.lua/..", ("x"):rep(300),
    "~root", "sub.../fine"}) do
    local ok, why = pcall(require, name)
    assert(not ok and why:find("is not allowed", 1, true), name)
end
for _, name in ipairs({"nowhere", "sub", "escape", "etc.passwd"}) do
    local ok, why = pcall(require, name)
    assert(not ok and why:find("not found", 1, true), name .. ": " .. why)
end
local ok, why = pcall(require, "broken")
assert(not ok and why:find("error loading module 'broken'", 1, true), why)
assert(not pcall(require))
print("require holds")
