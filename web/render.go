package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed templates assets
var files embed.FS

// A base is what every page has.
type base struct {
	Title   string // in plain text, without the product's name
	Nav     string // the entry of the navigation that it belongs to
	Search  string // what stands in the search box
	Banner  string
	Version string
	Made    moment
	CSS, JS string
	Notices []notice

	clip *clipper
}

// A notice is a sentence above the page: what is wrong with the whole, or not known.
type notice struct {
	Level string // "bad", "warn" or "note"
	Text  string
	Href  string // of what to look at; may be empty
	Link  string
}

func (s *server) base(title, nav string) base {
	return base{
		Title: title, Nav: nav, Banner: visible(s.banner), Version: s.version, Made: at(s.now(), s.now()),
		CSS: assetURL("style.css"), JS: assetURL("app.js"), clip: newClipper(),
	}
}

// parsePages returns a template per page, each with the layout around it.
func parsePages() map[string]*template.Template {
	layout := template.Must(template.ParseFS(files, "templates/layout.html", "templates/parts.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err) // our own pattern
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		if page != "layout" && page != "parts" {
			pages[page] = template.Must(template.Must(layout.Clone()).ParseFS(files, name))
		}
	}
	return pages
}

// render writes a page. If it returns an error, it has written nothing.
func (s *server) render(w http.ResponseWriter, status int, name string, data any) error {
	var buf bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&buf, "layout", data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return send(w, status, "text/html; charset=utf-8", buf.Bytes())
}

// send writes an answer that is whole. Whoever hung up meanwhile is no error of ours.
func send(w http.ResponseWriter, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}

var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

// assetDigests are the beginnings of the assets' SHA-256: a new one has another address, so that one may be kept for good.
var assetDigests = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic(err) // embedded
	}
	for _, e := range entries {
		data, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		out[e.Name()] = hex.EncodeToString(sum[:6])
	}
	return out
})

func assetURL(name string) string { return "/assets/" + name + "?v=" + assetDigests()[name] }

func (s *server) asset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	digest, ok := assetDigests()[name]
	if !ok {
		return missing("There is no such file.", "/", "To the overview")
	}
	data, err := files.ReadFile("assets/" + name)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("ETag", `"`+digest+`"`)
	if r.Header.Get("If-None-Match") == `"`+digest+`"` {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return send(w, http.StatusOK, assetTypes[path.Ext(name)], data)
}
