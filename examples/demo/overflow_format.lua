-- expect: stack overflow
-- string.format of a deep table whose __tostring formats the table inside it.
local Nest = {}
Nest.__tostring = function(nest)
    return string.format("[%s]", nest.inner)
end
local deep = setmetatable({inner = "core"}, Nest)
for _ = 1, 190 do
    deep = setmetatable({inner = deep}, Nest)
end
print(string.format("%s", deep))
