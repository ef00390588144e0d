package guest

import (
	"bytes"
	"strconv"
)

// A frame is the probe's answer taken apart. The answer looks like this, with the
// nonce at the beginning of every line that the probe itself wrote:
//
//	Last login: Mon Nov 23 …        (a shell start-up file talks: not ours)
//
//	8d0c… hello 1 root
//
//	8d0c… begin dpkg
//	ii 	base-files	amd64	12.4+deb12u11	base-files
//
//	8d0c… end dpkg 0
//	8d0c… read packages          (all sections of this part were sent)
//	…
//
//	8d0c… done
type frame struct {
	how      string          // root, sudo or user; empty if the probe never spoke
	done     bool            // the probe reached its end
	read     map[string]bool // the parts of the probe that reached theirs
	sections map[string]section
}

// A section is what one command on the machine printed.
type section struct {
	body   []byte
	status int  // exit status of the command
	whole  bool // it began once and ended once
}

// ran reports whether the section is whole, and its command was started and came to
// its own end: what a signal ended (128 and more), an OOM killer's say, did not print all.
func (s section) ran() bool { return s.whole && s.status < 126 }

// readFrame takes output apart. It never fails: what is cut, doubled or out of
// place is missing from the result, or not whole.
func readFrame(output []byte, nonce string) frame {
	f := frame{sections: make(map[string]section), read: make(map[string]bool)}
	mark := []byte("\n" + nonce + " ")
	if hello := bytes.Index(output, []byte(nonce+" hello ")); hello >= 0 {
		if line, _, _ := bytes.Cut(output[hello:], []byte("\n")); bytes.HasSuffix(line, []byte("\r")) {
			output = bytes.ReplaceAll(output, []byte("\r\n"), []byte("\n")) // it came through a terminal
		}
	}
	var open string // the section that began last and has not ended
	var start int
	for at := 0; ; {
		i := bytes.Index(output[at:], mark)
		if i < 0 {
			break
		}
		lineStart := at + i
		rest := output[lineStart+len(mark):]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break // a mark that is cut is none
		}
		words := bytes.Fields(rest[:end])
		next := lineStart + len(mark) + end // the newline may begin the next mark
		at = next
		if len(words) == 0 {
			continue
		}
		switch verb := string(words[0]); {
		case verb == "hello" && len(words) == 3 && string(words[1]) == "1" && isPrivilege(string(words[2])):
			switch _, ended := f.sections["sudo"]; {
			case f.how == "":
			case f.how == "sudo" && ended && !f.done: // the run under sudo was ended, and another goes on without
				f = frame{sections: make(map[string]section), read: make(map[string]bool)}
				f.sections["sudo"] = section{body: []byte("the run under sudo ended early"), whole: true}
			default: // two probes in one answer: neither is to be trusted
				return frame{}
			}
			// sudo's own section is still open here: the probe's second run takes over.
			if open == "sudo" {
				delete(f.sections, open)
			}
			open, f.how = "", string(words[2])
		case verb == "begin" && len(words) == 2:
			open, start = string(words[1]), next+1
			if _, twice := f.sections[open]; twice {
				f.sections[open], open = section{}, ""
				continue
			}
			f.sections[open] = section{}
		case verb == "end" && len(words) == 3 && string(words[1]) == open && open != "":
			status, err := strconv.Atoi(string(words[2]))
			f.sections[open] = section{body: output[start:max(start, lineStart)], status: status, whole: err == nil}
			open = ""
		case verb == "read" && len(words) == 2:
			open, f.read[string(words[1])] = "", true
		case verb == "done" && len(words) == 1:
			f.done = true
		case verb == "end" && len(words) > 1: // of what ended already, or never began: one of the two is forged
			f.sections[string(words[1])] = section{}
			open = ""
		default:
			open = ""
		}
	}
	return f
}

// isPrivilege reports whether how is one of the probe's own words: it is shown to people.
func isPrivilege(how string) bool { return how == "root" || how == "sudo" || how == "user" }

// lines calls each for every line of body, without its newline.
func lines(body []byte, each func(line []byte)) {
	for len(body) > 0 {
		line := body
		if i := bytes.IndexByte(body, '\n'); i >= 0 {
			line, body = body[:i], body[i+1:]
		} else {
			body = nil
		}
		each(line)
	}
}
