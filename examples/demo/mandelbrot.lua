-- expect: ok
-- The Mandelbrot set as text, checked by its symmetry and by known points.
local WIDTH, HEIGHT, DEPTH = 64, 25, 400

local function depth(cr, ci)
    local zr, zi = 0.0, 0.0
    for i = 1, DEPTH do
        zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
        if zr * zr + zi * zi > 4 then return i end
    end
    return DEPTH
end

local shades, rows = " .:-=+*#%@", {}
for y = 0, HEIGHT - 1 do
    local row = {}
    for x = 0, WIDTH - 1 do
        local d = depth(-2.1 + 2.9 * x / (WIDTH - 1),
                        -1.2 + 2.4 * y / (HEIGHT - 1))
        local shade = d == DEPTH and 10 or math.min(9, 1 + d // 3)
        row[x] = shades:sub(shade, shade)
    end
    rows[y] = table.concat(row, "", 0, WIDTH - 1)
end
for y = 0, HEIGHT - 1 do
    assert(rows[y] == rows[HEIGHT - 1 - y], "the set mirrors itself")
end
assert(depth(0, 0) == DEPTH and depth(-1, 0) == DEPTH, "inside")
assert(depth(0.5, 0.5) == 5 and depth(2, 2) == 1, "outside")
print(table.concat(rows, "\n", HEIGHT // 2 - 2, HEIGHT // 2 + 2))
