package suite

// unknownID is an ID that no identity has.
const unknownID = "00000000-0000-0000-0000-00000000dead"

// notFound is the answer for an identity that does not exist.
var notFound = all(identityRefused(400), value("error", "invalid_request"), value("error_description", "Identity not found"))

// selectorCases returns the cases about selecting an identity.
func selectorCases() []Case {
	onlyOne := value("error_description", "Only one of client_id, object_id and msi_res_id can be specified")
	exclusive := inOurWords(400, all(identityRefused(400), onlyOne))
	return []Case{
		ask("identity/selector/client_id", get(tokenQuestion+"&client_id={client-id}"), success(value("client_id", "{client-id}"))),
		ask("identity/selector/object_id", get(tokenQuestion+"&object_id={object-id}"), success(has("access_token"))),
		ask("identity/selector/msi_res_id", get(tokenQuestion+"&msi_res_id={resource-id}"), success(has("access_token"))),
		ask("identity/selector/principal_id", get(tokenQuestion+"&principal_id={object-id}"), success(has("access_token"))).ourChoice(),
		ask("identity/selector/mi_res_id", get(tokenQuestion+"&mi_res_id={resource-id}"), success(has("access_token"))).ourChoice(),
		ask("identity/selector/msi-res-id", get(tokenQuestion+"&msi-res-id={resource-id}"), success(has("access_token"))).ourChoice(),
		ask("identity/selector/resource_id", get(tokenQuestion+"&resource_id={resource-id}"), success(has("access_token"))).ourChoice(),
		ask("identity/selector/of-one-identity", inTurn(get(tokenQuestion+"&object_id={object-id}"), get(tokenQuestion+"&client_id={client-id}")), each(success(value("client_id", "{client-id}")))).ourChoice(),
		ask("identity/selector/case-of-names", get(tokenQuestion+"&CLIENT_ID={client-id}"), success(value("client_id", "{client-id}"))).ourChoice(),

		ask("identity/selector/client_id/unknown", get(tokenQuestion+"&client_id="+unknownID), notFound),
		ask("identity/selector/object_id/unknown", get(tokenQuestion+"&object_id="+unknownID), notFound),
		ask("identity/selector/msi_res_id/unknown", get(tokenQuestion+"&msi_res_id=/subscriptions/"+unknownID), inOurWords(400, notFound)),
		ask("identity/selector/resource_id/unknown", get(tokenQuestion+"&resource_id=/subscriptions/"+unknownID), notFound).ourChoice(),
		ask("identity/selector/case/unknown", get(tokenQuestion+"&Client_Id="+unknownID), notFound).ourChoice(),

		ask("identity/selector/client_id/empty", get(tokenQuestion+"&client_id="), identityRefused(400)).ourChoice(),
		ask("identity/selector/client_id/twice", get(tokenQuestion+"&client_id=a&client_id=a"), inOurWords(400, identityRefused(400))),
		ask("identity/selector/client_id/twice-in-two-cases", get(tokenQuestion+"&client_id=a&CLIENT_ID=a"), identityRefused(400)).ourChoice(),
		ask("identity/selector/client_id+object_id", get(tokenQuestion+"&client_id=a&object_id=b"), exclusive),
		ask("identity/selector/client_id+msi_res_id", get(tokenQuestion+"&client_id=a&msi_res_id=b"), exclusive),
		ask("identity/selector/object_id+msi_res_id", get(tokenQuestion+"&object_id=a&msi_res_id=b"), exclusive),
		ask("identity/selector/of-one-identity/client_id+object_id", get(tokenQuestion+"&client_id={client-id}&object_id={object-id}"), exclusive),
		ask("identity/selector/of-one-identity/client_id+msi_res_id", get(tokenQuestion+"&client_id={client-id}&msi_res_id={resource-id}"), exclusive),
		ask("identity/selector/all-three", get(tokenQuestion+"&client_id=a&object_id=b&msi_res_id=c"), exclusive),
		ask("identity/selector/client_id+empty", get(tokenQuestion+"&client_id=a&object_id="), all(identityRefused(400), onlyOne)).ourChoice(),
		ask("identity/selector/two-spellings", get(tokenQuestion+"&msi_res_id=a&mi_res_id=a"), all(identityRefused(400), onlyOne)).ourChoice(),
	}
}
