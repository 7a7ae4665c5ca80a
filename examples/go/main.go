// A command-line program that signs a person in at Licet and calls its API, with x/oauth2 and go-oidc: code flow with PKCE on a loopback address,
// automatic refresh, offline verification, an API key, and the exchange of that key for a short-lived token.
//
//	npx licet app create --name "My program" --type native --redirect-uri http://127.0.0.1/callback --scope "api:read data:read"
//	ISSUER=http://localhost:4000 CLIENT_ID=… go run .      (optional: API_KEY, and SERVICE_ID with SERVICE_SECRET of a service app)
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

var ctx, issuer, scopeIn = context.Background(), os.Getenv("ISSUER"), regexp.MustCompile(`scope="([^"]*)"`)
var resource = issuer + "/api/v1"

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// signIn sends the person to Licet and waits on a free port of this machine for the way back (RFC 8252 section 7.3).
func signIn(config *oauth2.Config) *oauth2.Token {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	config.RedirectURL = fmt.Sprintf("http://%s/callback", listener.Addr())
	verifier, state := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	fmt.Println("open:", config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
	back := make(chan string, 1)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if query.Get("state") == state && query.Get("iss") == issuer { // RFC 9207: the answer is from whom we asked
			fmt.Fprint(w, "You can close this page.")
			back <- query.Get("code")
		}
	}))
	return must(config.Exchange(ctx, <-back, oauth2.VerifierOption(verifier)))
}

type answer struct {
	Code       string                `json:"code"`
	Ref        string                `json:"error_ref"`
	Credential struct{ Name string } `json:"credential"`
}

// call waits when told to (429, 503), lets the token be renewed once (401), and says what a refusal asks for (403).
func call(client *http.Client, renew func(), path string) (found answer, err error) {
	for attempt := 1; ; attempt++ {
		response, err := client.Get(resource + path)
		if err != nil {
			return found, err
		}
		err = json.NewDecoder(response.Body).Decode(&found)
		response.Body.Close()
		status := response.StatusCode
		switch wait, _ := strconv.Atoi(response.Header.Get("Retry-After")); {
		case status < 300:
			return found, err
		case (status == 429 || status == 503) && attempt < 6:
			time.Sleep(time.Duration(wait)*time.Second + rand.N(250*time.Millisecond))
		case status == 401 && attempt == 1:
			renew()
		default:
			needed := scopeIn.FindStringSubmatch(response.Header.Get("WWW-Authenticate"))
			return found, fmt.Errorf("%d %s, it needs %v; its owner looks up %s", status, found.Code, needed, found.Ref)
		}
	}
}

func main() {
	provider := must(oidc.NewProvider(ctx, issuer))
	config := &oauth2.Config{ClientID: os.Getenv("CLIENT_ID"), Endpoint: provider.Endpoint(), Scopes: []string{"openid", "api:read", "data:read"}}
	token := signIn(config)
	identity := must(provider.Verifier(&oidc.Config{ClientID: config.ClientID, SupportedSigningAlgs: []string{"ES256"}}).Verify(ctx, token.Extra("id_token").(string)))
	fmt.Println("signed in:", identity.Subject)
	// An ID token is for this program, an access token for the resource: the audience tells them apart.
	verifier := provider.Verifier(&oidc.Config{ClientID: resource, SupportedSigningAlgs: []string{"ES256"}})
	fmt.Println("verified:", must(verifier.Verify(ctx, token.AccessToken)).Subject, "may", token.Extra("scope"))

	before := token.AccessToken
	token.Expiry = time.Now().Add(-time.Minute)
	source := oauth2.ReuseTokenSource(nil, config.TokenSource(ctx, token))
	person := oauth2.NewClient(ctx, source)
	for range 8 {
		must(call(person, func() {}, "/accounts/me"))
	}
	fmt.Println("refreshed:", must(source.Token()).AccessToken != before)
	fmt.Println("called: eight times, waiting where asked to")

	key := oauth2.NewClient(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: os.Getenv("API_KEY")}))
	fmt.Println("key:", must(call(key, func() {}, "/accounts/me")).Credential.Name)
	_, refusal := call(key, func() {}, "/grants")
	fmt.Println("refused:", refusal)

	service := &clientcredentials.Config{ClientID: os.Getenv("SERVICE_ID"), ClientSecret: os.Getenv("SERVICE_SECRET"), TokenURL: config.Endpoint.TokenURL, EndpointParams: map[string][]string{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {os.Getenv("API_KEY")},
		"subject_token_type": {"urn:licet:token-type:api_key"}, "scope": {"data:read"}}}
	exchanged := must(service.Token(ctx))
	var claims struct{ Act struct{ Sub string } }
	must(0, must(verifier.Verify(ctx, exchanged.AccessToken)).Claims(&claims))
	fmt.Println("exchanged:", claims.Act.Sub, "for", exchanged.ExpiresIn, "s")
}
