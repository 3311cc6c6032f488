-- Everything that could lead out is missing; the rest is present.
local function gone(name)
    local value = _G
    for part in name:gmatch("[%w_]+") do
        value = value[part]
        if value == nil then return end
    end
    error(name .. " is there")
end
for name in ([[
    dofile loadfile string.dump package.loadlib package.searchers package.path
    package.cpath package.searchpath package.preload package.config
    os.execute os.exit os.remove os.rename os.tmpname os.getenv os.setlocale
    io.popen io.open io.lines io.read io.input io.output io.tmpfile io.close
    io.stdin io.type debug.getinfo debug.sethook debug.gethook
    debug.getregistry debug.getmetatable debug.setmetatable debug.getupvalue
    debug.setupvalue debug.upvalueid debug.upvaluejoin debug.getlocal
    debug.setlocal debug.getuservalue debug.setuservalue debug.debug
    debug.setcstacklimit]]):gmatch("%S+") do
    gone(name)
end
for name in ([[
    assert collectgarbage error getmetatable ipairs load next pairs pcall print
    rawequal rawget rawlen rawset require select setmetatable tonumber tostring
    type warn xpcall coroutine.wrap coroutine.close table.sort string.format
    string.pack math.random utf8.char os.clock os.date os.difftime os.time
    io.write debug.traceback]]):gmatch("%S+") do
    assert(not pcall(gone, name), name .. " is missing")
end

-- Neither loaded modules nor strings lead out.
for name, module in pairs(package.loaded) do
    if type(module) == "table" and name ~= "_G" then
        assert(module == _G[name], name)
    end
end
assert(package.loaded.debug.getinfo == nil and package.loaded._G == _G)
assert(("").dump == nil)
local only = {}
for name in pairs(package) do only[#only + 1] = name end
assert(#only == 1 and only[1] == "loaded")

-- Text only: a binary chunk is refused whatever the mode says.
local binary = "\27Lua\x54\0\x19\x93\r\n\x1a\n" .. ("\0"):rep(100)
for _, mode in ipairs({"b", "bt", "t", false}) do
    local chunk, why = load(binary, "chunk", mode or nil)
    assert(chunk == nil and why:find("binary chunk"), why)
end
local sent = false
assert(load(function()
    if sent then return nil end
    sent = true
    return binary
end, "chunk", "b") == nil)
assert(load("return 6 * 7")() == 42)
assert(load("return x", "chunk", "b", {x = 5})() == 5)
assert(load("return x", "chunk", "t", nil) and
       not pcall(load("return x", "chunk", "t", nil)))
assert(not pcall(load, {}))

for _, option in ipairs({"stop", "restart", "incremental", "generational",
                         "setpause", "setstepmul"}) do
    assert(not pcall(collectgarbage, option), option)
end
assert(collectgarbage("count") > 0 and collectgarbage() == 0)
assert(collectgarbage("isrunning"))

-- The clock and the calendar.
assert(os.time({year = 2000, month = 1, day = 1, hour = 12}) -
       os.time({year = 1999, month = 12, day = 31, hour = 12}) == 86400)
assert(os.date("!%Y-%m-%d %H:%M:%S", 86399) == "1970-01-01 23:59:59")
local date = os.date("!*t", 951782400)
assert(date.year == 2000 and date.month == 2 and date.day == 29)
assert(date.yday == 60 and date.wday == 3 and date.isdst == false)
local over = {year = 2023, month = 14, day = 1}
os.time(over)
assert(over.year == 2024 and over.month == 2)
assert(os.difftime(5, 3) == 2.0 and os.clock() >= 0)
for _, bad in ipairs({"%Ez", "%", "%k", "%q"}) do
    assert(not pcall(os.date, bad), bad)
end
assert(not pcall(os.time, {year = 2000}))
assert(not pcall(os.time, {year = 1 << 40, month = 1, day = 1}))
assert(not pcall(os.time, {year = "x", month = 1, day = 1}))
assert(not pcall(os.date, "%c", 1 << 62))

assert(not pcall(io.write, {}))
assert(io.write("a", 1, "\n") == io.stdout)
assert(io.stdout:write("b\n") == io.stdout)
print("the sandbox holds")
