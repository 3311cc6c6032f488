-- A JSON reader and writer in plain Lua, for the demo.
local json = {null = setmetatable({}, {__tostring = function() return "null" end})}

local escapes = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
                 ['"'] = '"', ["\\"] = "\\", ["/"] = "/"}

local function fail(text, at, what)
    local _, line = text:sub(1, at):gsub("\n", "")
    error("json: line " .. line + 1 .. ": " .. what, 0)
end

local function skip(text, at)
    return text:find("[^ \t\r\n]", at) or #text + 1
end

local function unicode(text, at)
    local high = text:match("^%x%x%x%x", at) or fail(text, at, "bad \\u")
    local code = tonumber(high, 16)
    if code < 0xD800 or code > 0xDBFF then return utf8.char(code), at + 4 end
    local low = text:match("^\\u(%x%x%x%x)", at + 4) or
                fail(text, at, "lone surrogate")
    return utf8.char(0x10000 + (code - 0xD800) * 0x400 +
                     tonumber(low, 16) - 0xDC00), at + 10
end

local function read_string(text, at)
    local parts = {}
    while true do
        local stop = text:find('["\\%c]', at) or fail(text, at, "open string")
        parts[#parts + 1] = text:sub(at, stop - 1)
        local char = text:sub(stop, stop)
        if char == '"' then return table.concat(parts), stop + 1 end
        if char ~= "\\" then fail(text, stop, "control character") end
        local letter = text:sub(stop + 1, stop + 1)
        if letter == "u" then
            parts[#parts + 1], at = unicode(text, stop + 2)
        else
            parts[#parts + 1] = escapes[letter] or fail(text, stop, "bad escape")
            at = stop + 2
        end
    end
end

local function read_number(text, at)
    local digits = text:match("^-?%d+", at) or fail(text, at, "no value")
    if digits:match("^-?0%d") then fail(text, at, "leading zero") end
    local rest = at + #digits
    local fraction = text:match("^%.%d+", rest) or ""
    local exponent = text:match("^[eE][+-]?%d+", rest + #fraction) or ""
    local number = digits .. fraction .. exponent
    return tonumber(number), at + #number
end

local read_value

local function read_array(text, at)
    local array = {}
    at = skip(text, at)
    if text:sub(at, at) == "]" then return array, at + 1 end
    while true do
        array[#array + 1], at = read_value(text, at)
        at = skip(text, at)
        local char = text:sub(at, at)
        if char == "]" then return array, at + 1 end
        if char ~= "," then fail(text, at, "',' or ']' expected") end
        at = at + 1
    end
end

local function read_object(text, at)
    local object = {}
    at = skip(text, at)
    if text:sub(at, at) == "}" then return object, at + 1 end
    while true do
        local key
        at = skip(text, at)
        if text:sub(at, at) ~= '"' then fail(text, at, "key expected") end
        key, at = read_string(text, at + 1)
        at = skip(text, at)
        if text:sub(at, at) ~= ":" then fail(text, at, "':' expected") end
        object[key], at = read_value(text, at + 1)
        at = skip(text, at)
        local char = text:sub(at, at)
        if char == "}" then return object, at + 1 end
        if char ~= "," then fail(text, at, "',' or '}' expected") end
        at = at + 1
    end
end

local words = {["true"] = true, ["false"] = false, ["null"] = json.null}

function read_value(text, at)
    at = skip(text, at)
    local char = text:sub(at, at)
    if char == '"' then return read_string(text, at + 1) end
    if char == "{" then return read_object(text, at + 1) end
    if char == "[" then return read_array(text, at + 1) end
    local word = text:match("^%l+", at)
    if word == nil then return read_number(text, at) end
    if words[word] == nil then fail(text, at, "unknown word " .. word) end
    return words[word], at + #word
end

function json.decode(text)
    local value, at = read_value(text, 1)
    if skip(text, at) <= #text then fail(text, at, "more after the end") end
    return value
end

local function write_string(s)
    return '"' .. s:gsub('[%c"\\]', function(c)
        return string.format("\\u%04x", c:byte())
    end) .. '"'
end

function json.encode(value)
    if type(value) == "string" then return write_string(value) end
    if type(value) ~= "table" or value == json.null then return tostring(value) end
    local parts = {}
    if #value > 0 or next(value) == nil then
        for i, item in ipairs(value) do parts[i] = json.encode(item) end
        return "[" .. table.concat(parts, ",") .. "]"
    end
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys)
    for i, key in ipairs(keys) do
        parts[i] = write_string(key) .. ":" .. json.encode(value[key])
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

return json
