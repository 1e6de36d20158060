using System.CommandLine;
using LatentBridge.Host.Doctor;
using LatentBridge.Host.Output;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge doctor</c>: what was found, what is wrong, and how to mend it; 1 when something does not work.</summary>
static class DoctorCommand
{
    internal static Command Create(Terminal terminal)
    {
        Command command = new("doctor", "Show what was found on this machine, what is wrong and how to fix it.");
        Option<bool> json = command.Json();
        command.SetAction(parsed => Run(terminal, parsed.GetValue(json)));
        return command;
    }

    static int Run(Terminal terminal, bool json)
    {
        Finding[] findings = terminal.While("Looking ...", () => (Finding[])[.. MachineCheck.Run(), .. WeightsCheck.Run(), .. PackagesCheck.Run(), .. PythonCheck.Run()]);
        if (json)
        {
            terminal.WriteJson(writer => WriteJson(writer, findings));
        }
        else
        {
            Show(terminal, findings);
        }

        return findings.Any(finding => finding.State == FindingState.Bad) ? ExitCode.Failed : ExitCode.Done;
    }

    static void Show(Terminal terminal, Finding[] findings)
    {
        TextTable table = new("", "subject", "found");
        foreach (Finding finding in findings)
        {
            table.Add(Mark(finding.State), finding.Subject, finding.Found);
        }

        terminal.Write(table);
        Finding[] mendable = [.. findings.Where(finding => finding.Mend.Length > 0)];
        foreach (Finding finding in mendable)
        {
            terminal.Say($"{finding.Subject}: {finding.Mend}");
        }

        if (mendable.Length == 0)
        {
            terminal.Say("Nothing to mend.");
        }
    }

    static string Mark(FindingState state) => state switch
    {
        FindingState.Good => "ok",
        FindingState.Absent => "-",
        FindingState.Note => "note",
        _ => "BAD",
    };

    static void WriteJson(JsonTextWriter json, Finding[] findings)
    {
        json.WriteStartObject();
        json.WritePropertyName("good");
        json.WriteValue(!findings.Any(finding => finding.State == FindingState.Bad));
        json.WritePropertyName("findings");
        json.WriteStartArray();
        foreach (Finding finding in findings)
        {
            json.WriteStartObject();
            json.WritePropertyName("subject");
            json.WriteValue(finding.Subject);
            json.WritePropertyName("state");
            json.WriteValue(finding.State.ToString().ToLowerInvariant());
            json.WritePropertyName("found");
            json.WriteValue(finding.Found);
            json.WritePropertyName("mend");
            json.WriteValue(finding.Mend);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
