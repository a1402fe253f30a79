// Asks for tokens with the credentials that Azure's SDK for .NET has for managed identities, as an application would,
// and prints a JSON line for every attempt. It fails if one of them got no token.
using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using Azure.Core;
using Azure.Identity;

const string managed = "ManagedIdentityCredential";
const string standard = "DefaultAzureCredential";

string[] resources = Variable("RESOURCES").Split(',');

if (args.Contains(standard))
{
    return Ask(standard, "default", new DefaultAzureCredential(), resources) ? 0 : 1;
}

bool everyOne = Ask(managed, "default", Managed(ManagedIdentityId.SystemAssigned), resources);
everyOne &= Ask(managed, "client_id",
    Managed(ManagedIdentityId.FromUserAssignedClientId(Variable("CLIENT_ID"))), resources[0]);
everyOne &= Ask(managed, "object_id",
    Managed(ManagedIdentityId.FromUserAssignedObjectId(Variable("OBJECT_ID"))), resources[0]);
everyOne &= Ask(managed, "resource_id",
    Managed(ManagedIdentityId.FromUserAssignedResourceId(new ResourceIdentifier(Variable("RESOURCE_ID")))), resources[0]);

// MSAL keeps tokens for the whole process, so that a second credential would ask nobody.
using Process other = Process.Start(Environment.ProcessPath!, standard);
other.WaitForExit();
everyOne &= other.ExitCode == 0;
return everyOne ? 0 : 1;

static string Variable(string name) => Environment.GetEnvironmentVariable(name) ?? "";

static TokenCredential Managed(ManagedIdentityId id) => new ManagedIdentityCredential(id);

// Asks for a token for each of the resources, prints what came, and tells whether all of them did.
static bool Ask(string name, string selector, TokenCredential credential, params string[] resources)
{
    bool everyOne = true;
    foreach (string resource in resources)
    {
        var line = new Dictionary<string, object?>
        {
            ["client"] = "csharp azure-identity",
            ["credential"] = name,
            ["selector"] = selector,
            ["resource"] = resource,
        };
        var watch = Stopwatch.StartNew();
        try
        {
            line["token"] = credential.GetToken(new TokenRequestContext([resource + "/.default"]), default).Token;
        }
        catch (Exception e)
        {
            line["error"] = e.ToString();
            everyOne = false;
        }
        line["milliseconds"] = watch.Elapsed.TotalMilliseconds;
        line["at"] = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        line["version"] = Version();
        Console.WriteLine(JsonSerializer.Serialize(line));
    }
    return everyOne;
}

// The version of the package. Its credentials may be in another assembly.
static string? Version() => Assembly.Load("Azure.Identity")
    .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];
