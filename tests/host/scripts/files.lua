-- Files below the folder of --read, which are read-only.
local file = assert(io.open("text"))
assert(file:read("l") == "one" and file:read("L") == "two 22\n")
assert(file:read(2) == "th" and file:read("a") == "ree")
assert(file:read("l") == nil and file:read("a") == "" and file:read(1) == nil)
assert(file:close() and not pcall(file.read, file))
local lines = {}
for line in io.lines("text") do lines[#lines + 1] = line end
assert(table.concat(lines, "|") == "one|two 22|three")
assert(io.open("empty"):read("a") == "")
local first, second = io.open("text", "rb"):read("l", 3)
assert(first == "one" and second == "two")

for _, path in ipairs({"../secret", "/etc/passwd", "link", "./../secret",
                       "nowhere", ".", "fifo", "", "text/x", "text\0"}) do
    if path ~= "text\0" then
        local got, why = io.open(path)
        assert(got == nil and type(why) == "string", path)
        assert(not pcall(io.lines, path))
    end
end
for _, mode in ipairs({"w", "a", "r+", "w+", "wb"}) do
    assert(io.open("text", mode) == nil)
end
assert(not pcall(function() io.open("text"):read("x") end))
print("files hold")
