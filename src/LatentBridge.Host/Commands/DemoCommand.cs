using System.CommandLine;
using System.Globalization;
using LatentBridge.Host.Bench;
using LatentBridge.Host.Demo;
using LatentBridge.Host.Output;
using LatentBridge.Host.Python;

namespace LatentBridge.Host.Commands;

/// <summary>
/// <c>latentbridge demo</c>: the example latents go from Python through the real bridge, step by step; what comes back becomes pictures, a
/// contact sheet and a time-lapse for each model.
/// </summary>
static class DemoCommand
{
    internal static Command Create(Terminal terminal)
    {
        Option<string> folder = new("--output", "-o", "--out") { Description = "Folder for the pictures.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("out", "demo") };
        Command command = new("demo", "Send example latents through the real bridge: previews, contact sheets, time-lapses.") { folder };
        Option<bool> json = command.Json();
        command.SetAction(parsed => Run(terminal, parsed.GetValue(folder)!, parsed.GetValue(json)));
        return command;
    }

    static int Run(Terminal terminal, string folder, bool json)
    {
        PythonInterpreter python = PythonInterpreter.Require("The demo plays the sampler in Python: it");
        (int exitCode, string report) = terminal.While(
            "Sending latents through the bridge ...",
            () => python.RunShim(["demo", "--out", folder, "--json"], terminal.Note));
        if (exitCode != ExitCode.Done && report.Length == 0)
        {
            terminal.Note("The demo's Python side failed; the lines above say why. `latentbridge doctor` looks for the cause.");
            return ExitCode.Failed;
        }

        IReadOnlyList<DemoRun> runs = DemoRun.ReadAll(report);
        foreach (DemoRun run in runs.Where(run => run.Previews.Count > 0))
        {
            File.WriteAllBytes(Path.Combine(folder, $"{run.Model}.sheet.png"), DemoSheets.ContactSheet(run));
            File.WriteAllBytes(Path.Combine(folder, $"{run.Model}.time-lapse.png"), DemoSheets.TimeLapse(run));
        }

        if (json)
        {
            terminal.Say(report.TrimEnd());
            return exitCode;
        }

        terminal.Write(ToTable(runs));
        terminal.Say("Medians. callback: time of the sampler's thread in submit; submit to bytes: time until Python has the PNG bytes.");
        terminal.Say($"Pictures: {Path.GetFullPath(folder)}");
        terminal.Say("          <model>.sheet.png is the run on one sheet, <model>.time-lapse.png plays it in a browser.");
        return exitCode;
    }

    static TextTable ToTable(IReadOnlyList<DemoRun> runs)
    {
        TextTable table = new("model", "shown", "decoder", "size", "callback>", "submit to bytes>", "bytes>");
        foreach (DemoRun run in runs)
        {
            if (run.Previews.Count == 0)
            {
                table.Add(run.Model, Text($"0 of {run.StepCount}"), "", "", "", "", "");
                continue;
            }

            Samples callback = new();
            Samples roundTrip = new();
            foreach (DemoPreview preview in run.Previews)
            {
                callback.Add(preview.CallbackMicroseconds);
                roundTrip.Add(preview.Milliseconds);
            }

            DemoPreview last = run.Previews[^1];
            table.Add(
                run.Model, Text($"{run.Previews.Count} of {run.StepCount}"), string.Join(", ", run.Previews.Select(preview => preview.Decoder).Distinct()), Text($"{last.Width}x{last.Height}"), Text($"{callback.Median:0} us"),
                Text($"{roundTrip.Median:0.0} ms"), Text($"{last.ByteLength:N0}"));
        }

        return table;
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
