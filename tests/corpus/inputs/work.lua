local object = {}
object.__index = object
function object.new(name) return setmetatable({name = name, parts = {}}, object) end
function object:add(part) self.parts[#self.parts + 1] = part return self end
local root = object.new("root")
for i = 1, 8 do root:add(object.new("part" .. i):add(i)) end
local co = coroutine.wrap(function() for _, p in ipairs(root.parts) do coroutine.yield(p.name) end end)
local names = {}
for name in co do names[#names + 1] = name:upper() end
table.sort(names, function(a, b) return a > b end)
local text = table.concat(names, ","):gsub("%d", "<%0>")
assert(load("return ...")(text) == text)
assert(not pcall(error, {text}))
