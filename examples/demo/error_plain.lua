-- expect: error
-- An ordinary script error: the traceback locates it.
local function area(shape)
    return shape.width * shape.height
end
local function total(shapes)
    local sum = 0
    for _, shape in ipairs(shapes) do
        sum = sum + area(shape)
    end
    return sum
end
print(total({{width = 2, height = 3}, {width = 4}}))
