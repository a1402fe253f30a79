// Package entra stands in for Microsoft Entra ID in tests of federation. It verifies assertions as Entra does: it reads the
// issuer's public files over TLS, and compares issuer, subject and audience with the identity's federated credentials to the
// letter. Its wire formats are those of tokens.md sections 1 to 3. It imports nothing of kube-imds, so that it shares no
// misunderstanding with it.
//
// It is not Entra. It has no policies, no regions, no secrets, no users and no grant but client_credentials, and one key. It
// knows the resources that a test names, in every tenant. Its tokens name Microsoft's issuers, but nobody should accept them
// who does not read the stand-in's keys.
//
// Where Entra's behavior is not documented, the stand-in chooses what tests can tell apart, and proves nothing about Entra:
//
//   - In which order Entra compares. Here it is: the form, the client, the algorithm, the issuer, the audience, the subject,
//     the key, the signature, the times, the resource.
//   - Which of the codes 90061, 50166 and 501661 stands for what. Here 90061 is the discovery document, and 50166 the keys.
//   - What is answered while a credential takes effect. Here it is always 70021. Entra's answers vary.
//   - How long Entra caches the public files, and how often it reads them again for a key that it does not know. Here both
//     are settings.
//   - Clock skew. Here there is none; Entra seems to allow some. Algorithms other than RS256, too, Entra takes some of.
package entra
