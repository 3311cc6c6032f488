-- expect: stack overflow
-- A chain of __index functions: table.concat reads a missing element, and the
-- metamethod calls table.concat.
local list = setmetatable({}, {})
getmetatable(list).__index = function(self, i)
    return table.concat(self, ",", i, i + 1)
end
print(table.concat(list, ",", 1, 2))
