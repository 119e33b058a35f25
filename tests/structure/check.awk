# One source file against the table of rooms: awk -v file=src/room/x.c -f check.awk docs/architecture.md src/room/x.c
# Prints a line for every breach.

function breach(line, text) { print file ":" line ": " text }

# Adds to reach[room, *] what `room` may include, directly or through another room.
function close_over(room, from, i, n, names) {
    n = split(direct[from], names, " ")
    for (i = 1; i <= n; i++)
        if (!((room, names[i]) in reach)) {
            reach[room, names[i]] = 1
            close_over(room, names[i])
        }
}

function begin_source(room) {
    split(file, part, "/")
    own = part[2]
    in_src = part[1] == "src"
    for (room in direct) {
        close_over(room, room)
        if ((room, room) in reach) breach(0, "docs/architecture.md: the room " room " may use itself in a circle")
    }
    if (in_src && !(own in direct)) breach(0, "the room " own " is not in the table of docs/architecture.md")
}

function check_include(path, room) {
    if (path ~ /\.pb-c\.h$/) {
        if (own != "onnx") breach(FNR, "only src/onnx may include generated messages (" path ")")
        return
    }
    if (path !~ /\//) {
        breach(FNR, "\"" path "\" lacks its folder")
        return
    }
    room = path
    sub(/\/.*/, "", room)
    if (room == "onnxq" || room == own) return
    if (!(room in direct)) breach(FNR, "\"" path "\" is in no room of the table")
    else if (all[own] ? room == "cli" : !((own, room) in reach)) breach(FNR, "src/" own " may not use " room)
}

# --- the table: | src/room | what | rooms that it may use | ---
FNR == NR {
    if ($0 !~ /^\| *src\//) next
    n = split($0, cell, "|")
    uses = cell[n - 1]
    all_of_it = uses ~ /everything/
    gsub(/\([^)]*\)/, "", uses)
    gsub(/,/, " ", uses)
    if (all_of_it || uses ~ /the public header alone/) uses = ""
    m = split(cell[2], rooms, ",")
    for (i = 1; i <= m; i++) {
        gsub(/[ `]|src\//, "", rooms[i])
        direct[rooms[i]] = uses
        all[rooms[i]] = all_of_it
    }
    next
}

# --- the source ---
FNR == 1 {
    begin_source()
    if ($0 !~ /^(\/\/|\/\*) *[^ ]/) breach(1, "the first line is no comment that says what the file holds")
}
in_src && /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    check_include(quoted[2])
}
/^[ \t]*#[ \t]*include[ \t]*<.*(pb-c\.h|protobuf-c\/)/ && own != "onnx" {
    breach(FNR, "only src/onnx may use protobuf-c")
}
# Functions, as clang-format lays them out: a head that begins in column 1 and ends in "{" with brackets and
# without "=" (that is a table), a "}" in column 1.
/^#/ || continued {
    continued = /\\$/
    next
}
/^[A-Za-z_]/ && !inside { head = "" }
!inside { head = head " " $0 }
!inside && /\{$/ && /^[A-Za-z_ ]/ {
    is_function = head ~ /\(/ && head !~ /=/ && head !~ /^ *(typedef|struct|enum|union|extern "C")/
    if (head !~ /extern "C"/) inside = 1
    begun = FNR
}
inside && /^\}/ {
    if (is_function && FNR - begun + 1 > 80)
        breach(begun, "a function of " (FNR - begun + 1) " lines; 80 are the most")
    inside = 0
    head = ""
}
END {
    if (in_src && FNR > 600) breach(FNR, "the file has " FNR " lines; 600 are the most")
}
