package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// maxWidth is how far a sentence runs at most: longer lines are hard to read.
const maxWidth = 100

// terminalWidth is the width for sentences on w; 0, without end, if w is no terminal:
// what reads it then wants a line to be a line.
func terminalWidth(w io.Writer) int {
	if !isTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil || width < 40 {
		return 0
	}
	return min(width, maxWidth)
}

// colours take no column.
var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// fold breaks a sentence at spaces to the terminal's width. used is how many columns
// of the first line are taken; later lines are indented.
func (s style) fold(used int, text string, indent int) string {
	if s.width == 0 {
		return text
	}
	var b strings.Builder
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(colours.ReplaceAllString(word, ""))
		switch {
		case i == 0:
		case used+1+n > s.width && used > indent:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			used = indent
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}
