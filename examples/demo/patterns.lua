-- expect: ok
-- String patterns: parses a web server's log and writes a report.
local lines = {}
local methods, codes = {"GET", "POST", "HEAD"}, {200, 200, 200, 304, 404, 500}
local seed = 20240607
local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n + 1
end
for i = 1, 4000 do
    lines[i] = string.format(
        '10.%d.%d.%d - user%d [07/Jun/2024:%02d:%02d:%02d +0000] "%s /shop/%s%d?q=%%C3%%A9t%%C3%%A9&n=%d HTTP/1.1" %d %d',
        random(4), random(250), random(250), random(50), random(24) - 1,
        random(60) - 1, random(60) - 1, methods[random(3)],
        ("abcdef"):sub(1, random(6)), random(20), i, codes[random(6)],
        random(60000))
end
local log = table.concat(lines, "\n") .. "\n"

local seen, bytes, by_code, by_hour = 0, 0, {}, {}
for user, hour, method, path, query, code, size in log:gmatch(
    '%- (user%d+) %[%d+/%a+/%d+:(%d%d):%d%d:%d%d [+-]%d+%] "(%u+) ([^ ?]+)%??(%S*) HTTP/[%d.]+" (%d+) (%d+)') do
    seen = seen + 1
    bytes = bytes + math.tointeger(size)
    by_code[code] = (by_code[code] or 0) + 1
    by_hour[hour] = (by_hour[hour] or 0) + 1
    local decoded = query:gsub("%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
    end)
    assert(decoded == "q=été&n=" .. seen, decoded)
    assert(path:match("^/shop/[a-f]+%d+$") and user:match("^user%d%d?$"))
    assert(method:match("^%u+$"))
end
assert(seen == 4000)
local hours, answers = 0, 0
for _, n in pairs(by_hour) do hours = hours + n end
for _, n in pairs(by_code) do answers = answers + n end
assert(hours == seen and answers == seen)

local total = 0
for size in log:gmatch(" (%d+)\n") do total = total + size end
assert(total == bytes)

assert(("THE (quick) fox"):find("%((%a+)%)") == 5)
assert(("f(a(b)c)d"):match("%b()") == "(a(b)c)")
assert(("hello world"):gsub("%f[%w]%w+", string.upper) == "HELLO WORLD")
assert(("x = 1, y = 22"):gsub("(%w+) = (%w+)", "%2 = %1") == "1 = x, 22 = y")
print("patterns: " .. seen .. " lines, " .. bytes .. " bytes, " ..
      by_code["404"] .. " not found")
