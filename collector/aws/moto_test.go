package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// moto is a second implementation of EC2 and STS, written by others: one process for all tests,
// in which each test has an account of its own.
var moto struct {
	once   sync.Once
	url    string
	err    error
	absent bool
	stop   func()
}

func TestMain(m *testing.M) {
	// Nothing of the machine's own set-up may reach the tests, nor they it.
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"} {
		os.Unsetenv(name)
	}
	code := m.Run()
	if moto.stop != nil {
		moto.stop()
	}
	os.Exit(code)
}

// startMoto returns the URL of moto_server. Where it is not installed, the test is skipped;
// where it is and does not come up, the test fails.
func startMoto(t testing.TB) string {
	t.Helper()
	moto.once.Do(func() { moto.url, moto.stop, moto.err = runMoto() })
	if errors.Is(moto.err, exec.ErrNotFound) {
		t.Skip("NOT COVERED HERE: moto_server is not installed (pip install 'moto[ec2,server]'): EC2 and AssumeRole go unseen")
	}
	if moto.err != nil {
		t.Fatal(moto.err)
	}
	return moto.url
}

func runMoto() (string, func(), error) {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		return "", nil, exec.ErrNotFound
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", port)
	// Its images are few and its instance types many: it must not ask for either elsewhere.
	cmd.Env = append(os.Environ(), "MOTO_EC2_LOAD_DEFAULT_AMIS=true")
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start moto_server: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	stop := func() {
		_ = cmd.Process.Kill()
		<-exited
	}
	url := "http://127.0.0.1:" + port
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(2 * time.Minute)
	for {
		select {
		case err := <-exited:
			return "", nil, fmt.Errorf("moto_server ended: %w", err)
		case <-limit:
			stop()
			return "", nil, errors.New("moto_server does not answer")
		case <-poll.C:
			if resp, err := http.Get(url + "/moto-api/"); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				return url, stop, nil
			}
		}
	}
}

var accounts atomic.Int64

// newRole returns a role in an account that no other test uses.
func newRole() Role {
	return Role{ARN: fmt.Sprintf("arn:aws:iam::%012d:role/vmdrift", 210000000000+accounts.Add(1))}
}

// keys are planted: no error and no log may hold them.
var keys = credentials.NewStaticCredentialsProvider("AKIAPLANTEDKEYID", "planted-secret-key", "planted-session-token")

// impatient retries as often as told, and does not wait in between.
func impatient(attempts int) func() awssdk.Retryer {
	return func() awssdk.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.RateLimiter = noLimit{}
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
}

type noLimit struct{}

func (noLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (noLimit) AddTokens(uint) error { return nil }

// admin is a client that changes things in moto, as the listing never does.
func admin(t testing.TB, endpoint string, role Role, region string) *ec2.Client {
	cfg := awssdk.Config{Region: region, BaseEndpoint: &endpoint, Credentials: keys}
	if role.ARN != "" {
		cfg.Credentials = awssdk.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role.ARN))
	}
	return ec2.NewFromConfig(cfg)
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
