-- A null write in C below a Lua recursion, called from a metamethod that a C
-- function called back.
local buggy = require("buggy")

local function down(n)
    if n == 0 then
        return (buggy.null_write())
    end
    return (down(n - 1))
end
local meta = {
    __index = function(_, depth)
        return (down(depth))
    end,
}
local function outermost()
    return (string.gsub("x", "x", function()
        return (setmetatable({}, meta)[20000])
    end))
end
outermost()
