package web_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A browser is a Chromium, and what it complained of.
type browser struct {
	ctx context.Context
	mu  sync.Mutex
	// complaints are errors on its console: scripts that broke, what the policy refused, files that were not there.
	complaints []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("NOT COVERED HERE: the pages in a real browser; install chromium")
	}
	if err != nil {
		t.Fatal("chromium is not installed: apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-dev-shm-usage", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() { // the browser is to be gone before its folder is
		_ = chromedp.Cancel(ctx)
		cancel()
		stop()
	})
	ctx, timeout := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(timeout)
	b := &browser{ctx: ctx}
	err = chromedp.Listen(ctx, func(ev any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch ev := ev.(type) {
		case *log.EventEntryAdded:
			if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
				b.complaints = append(b.complaints, ev.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			b.complaints = append(b.complaints, fmt.Sprintf("%+v", ev.ExceptionDetails))
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning {
				b.complaints = append(b.complaints, fmt.Sprint(ev.Args))
			}
		}
	})
	if err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	call(t, b, log.Enable, cdp.Empty{})
	call(t, b, runtime.Enable, cdp.Empty{})
	return b
}

func (b *browser) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.complaints
	b.complaints = nil
	return out
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func call[P, R any](t *testing.T, b *browser, cmd cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(b.ctx, cmd, params); err != nil {
		t.Fatalf("%s: %v", cmd.Method, err)
	}
}

// ask runs an action that has an answer.
func ask[T any](t *testing.T, b *browser, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(b.ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// screenshot writes the whole page to the folder of VMDRIFT_SCREENSHOTS, if it names one.
func (b *browser) screenshot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("VMDRIFT_SCREENSHOTS")
	if dir == "" {
		return
	}
	png := ask(t, b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wide returns what sticks out of the page at the right, which then scrolls sideways.
const wide = `(() => {
  const w = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= w && document.body.scrollWidth <= w) return "";
  return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > w + 1 && !e.closest(".scroll, .cmd, nav, .away"))
    .slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ") || "something";
})()`

func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	visit := func(t *testing.T, f *fleet, shots map[string]string) {
		srv := httptest.NewServer(f.handler())
		defer srv.Close()
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 390} {
				call(t, b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 600})
				call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
				for name, path := range shots {
					b.do(t, chromedp.Navigate(srv.URL+path), chromedp.WaitReady(chromedp.CSS("main")))
					sticks := ask(t, b, chromedp.Evaluate[string](wide))
					ground := ask(t, b, chromedp.Evaluate[string](`getComputedStyle(document.documentElement).backgroundColor`))
					where := fmt.Sprintf("%s (%s) at %d, %s", name, path, width, theme)
					if sticks != "" {
						t.Errorf("%s scrolls sideways: %s", where, sticks)
					}
					if bright := ground == "rgb(245, 246, 248)"; bright != (theme == "light") {
						t.Errorf("%s: the ground is %s", where, ground)
					}
					for _, c := range b.complained() {
						t.Errorf("%s: the browser says: %s", where, c)
					}
					b.screenshot(t, fmt.Sprintf("%s-%d-%s", name, width, theme))
				}
			}
		}
		b.do(t, chromedp.Navigate("about:blank")) // or the server waits for its connections
	}
	t.Run("a fleet with drift", func(t *testing.T) {
		f := story(t)
		visit(t, f, map[string]string{
			"overview": "/", "drift": "/drift", "drift-one": "/drift/" + f.id("deb/openssl:amd64"), "drift-unknown": "/drift/" + f.id("tcp/0.0.0.0:4444"),
			"machines": "/machines", "machine": "/machines/web-3", "machine-items": "/machines/web-2?facet=ports", "machine-then": "/machines/web-3?at=2026-10-28&facet=services",
			"history": "/machines/web-3/history", "baselines": "/baselines", "baseline": "/baselines/web", "runs": "/runs", "run": f.lastRun(), "search": "/search",
			"search-items": "/search?q=" + url.QueryEscape("ports process=nc"), "search-text": "/search?q=web",
		})
	})
	t.Run("nothing yet", func(t *testing.T) {
		visit(t, newFleet(t), map[string]string{"empty": "/", "empty-drift": "/drift"})
	})
	t.Run("a hostile fleet", func(t *testing.T) {
		f := hostile(t)
		visit(t, f, map[string]string{
			"hostile-overview": "/", "hostile-drift": "/drift", "hostile-machine": "/machines/" + url.PathEscape(markup+hidden),
			"hostile-one": "/drift/" + f.id(`"><script>alert(1)</script><img src=x onerror=alert(1)>a\u{202e}gpj.exe\u{200b}\x1b[2Jb`), "hostile-runs": "/runs", "hostile-baseline": "/baselines/web?facet=users",
		})
	})
}

// What JavaScript adds, and that nothing is lost without it.
func TestComfort(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	f := story(t)
	srv := httptest.NewServer(f.handler())
	defer srv.Close()
	box := chromedp.CSS(`.filters input[name=q]`)
	b.do(t, chromedp.Navigate(srv.URL+"/drift"), chromedp.KeyEvent("/"))
	if focus := ask(t, b, chromedp.Evaluate[string](`document.activeElement.id`)); focus != "find" {
		t.Errorf("/ leads to %q", focus)
	}
	b.do(t, chromedp.SendKeys(box, "openssl"))
	told := ask(t, b, chromedp.Text(chromedp.CSS(`.filters output`)))
	shown := ask(t, b, chromedp.Evaluate[int](`[...document.querySelectorAll("#rows tr")].filter(r => !r.hidden).length`))
	if shown != 1 || !strings.Contains(told, "1 of 6 on this page") {
		t.Errorf("the filter shows %d rows and says %q", shown, told)
	}
	b.do(t, chromedp.SendKeys(box, "\r"), chromedp.WaitVisible(chromedp.Search(`//a[text()="Clear"]`)))
	if at := ask(t, b, chromedp.Location()); !strings.Contains(at, "q=openssl") {
		t.Errorf("Enter leads to %s", at)
	}
	b.do(t, chromedp.Navigate(srv.URL+"/"), chromedp.KeyEvent("\t"))
	if first := ask(t, b, chromedp.Evaluate[string](`document.activeElement.className`)); first != "skip" {
		t.Errorf("the keyboard comes to %q first", first)
	}

	call(t, b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.do(t, chromedp.Navigate(srv.URL+"/drift"), chromedp.SendKeys(box, "toor\r"), chromedp.WaitVisible(chromedp.Search(`//a[text()="Clear"]`)))
	if at := ask(t, b, chromedp.Location()); !strings.Contains(at, "q=toor") {
		t.Errorf("without scripts the form leads to %s", at)
	}
	b.do(t, chromedp.Click(chromedp.CSS(`#rows a.key`)), chromedp.WaitVisible(chromedp.CSS(`.sides`)))
	if text := ask(t, b, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(text, "toor") || !strings.Contains(text, "Wanted and had") {
		t.Errorf("without scripts a drift says %q", text)
	}
	for _, c := range b.complained() {
		t.Errorf("the browser says: %s", c)
	}
	b.do(t, chromedp.Navigate("about:blank"))
}
