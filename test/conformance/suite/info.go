package suite

// infoCases returns the cases about the tenant of an identity.
func infoCases() []Case {
	tenant := success(object("", "tenantId"), matches("tenantId", guid))
	return []Case{
		ask("identity/info/tenant", get(infoQuestion+"&x={resource}{identity}"), tenant),
		ask("identity/info/client_id", get(infoQuestion+"&client_id={client-id}"), tenant),
		ask("identity/info/object_id", get(infoQuestion+"&object_id={object-id}"), tenant).ourChoice(),
		ask("identity/info/msi_res_id", get(infoQuestion+"&msi_res_id={resource-id}"), tenant).ourChoice(),
		ask("identity/info/newest-version", get(infoPath+"?api-version=2025-04-07{identity}"), tenant),
		ask("identity/info/unknown-identity", get(infoQuestion+"&client_id="+unknownID), notFound).ourChoice(),
		ask("identity/info/two-selectors", get(infoQuestion+"&client_id=a&object_id=b"), identityRefused(400)).ourChoice(),
		ask("identity/info/below", get(infoPath+"/tenantId?api-version=2018-02-01"), identityRefused(404)).ourChoice(),
	}
}
