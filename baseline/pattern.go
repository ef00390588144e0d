package baseline

// A Glob is a compiled pattern over canonical text, as the match of a rule: * is any
// run of characters, ? any one, \* and \? are themselves.
type Glob struct{ g glob }

// CompileGlob compiles a pattern of at most 1,024 bytes of canonical text.
func CompileGlob(pattern string) (Glob, error) {
	g, err := compileGlob(pattern)
	return Glob{g}, err
}

// Match reports whether the whole of s matches.
func (g Glob) Match(s string) bool { return g.g.match(s) }
