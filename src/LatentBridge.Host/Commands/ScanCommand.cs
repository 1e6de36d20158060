using System.CommandLine;
using LatentBridge.Decoders.Linear;
using LatentBridge.Host.Output;
using LatentBridge.Host.Scan;
using LatentBridge.Scanning;
using LatentBridge.Scanning.Report;
using LatentBridge.Scanning.Sources;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge scan PATH...</c>: reads a data set of cached latents once, and says what is wrong with them.</summary>
sealed class ScanCommand
{
    readonly Terminal _terminal;
    readonly Argument<string[]> _paths = new Argument<string[]>("PATH")
    {
        Description = "Folders of cached latents, or files: .safetensors, .latent, .npy, .npz, .pt, .pth, each also as .gz. With --merge: reports.",
        Arity = ArgumentArity.OneOrMore,
    }.WithoutOptions();
    readonly Option<string?> _folder = new("--output", "-o") { Description = "Folder for the report. A scan that was ended goes on where it was.", HelpName = "DIR" };
    readonly Option<string> _decoder = new("--decoder", "-d") { Description = "Decoder of the pictures that are looked at.", HelpName = "ID", DefaultValueFactory = _ => LinearDecoder.Id };
    readonly Option<string?> _images = new("--images") { Description = "Folder of the pictures that the latents were made of: pairs that do not match are found.", HelpName = "DIR" };
    readonly Option<string?> _preview = new("--preview") { Description = "Folder for a thumbnail of each latent.", HelpName = "DIR" };
    readonly Option<int> _size = new Option<int>("--size") { Description = "Longest side of a thumbnail in pixels.", HelpName = "N", DefaultValueFactory = _ => 256 }.Within(16, 4096);
    readonly Option<bool> _merge = new("--merge") { Description = "Join the reports of several scans into one." };
    readonly Option<int> _threads = OptionExtensions.Threads("the scan");
    readonly Option<bool> _json = new("--json") { Description = "Print a line of JSON for each latent." };
    readonly Option<bool> _csv = new("--csv") { Description = "Print a line of comma-separated values for each latent." };
    readonly LatentOptions _latent;

    ScanCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        command.Add(_paths);
        command.Add(_folder, _images, _preview, _size, _decoder);
        _latent = new(command);
        command.Add(_merge, _threads, _json, _csv);
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("scan", "Check a data set of cached latents. The exit code is 1 when something is wrong.");
        _ = new ScanCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string[] paths = parsed.GetValue(_paths)!;
        string? folder = parsed.GetValue(_folder);
        bool isMerge = parsed.GetValue(_merge);
        ScanSettings settings = Settings(parsed, paths);
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);
        }

        using ScanReport report = folder is null ? ScanReport.Temporary() : ScanReport.Open(Path.Combine(folder, ScanReport.FileName), isMerge ? $"merged {string.Join(' ', paths)}" : settings.Identity);
        ScanOutput output = new(_terminal, parsed.GetValue(_json), parsed.GetValue(_csv));
        if (isMerge)
        {
            _terminal.Track(paths.Length, onShard => report.Merge(paths, output.Write, onShard));
        }
        else
        {
            Scan(paths, settings, report, output);
        }

        if (folder is not null)
        {
            ScanPage.Write(report, settings, Path.Combine(folder, "index.html"));
        }

        output.WriteSummary(report, folder);
        return report.BadCount == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    void Scan(string[] paths, ScanSettings settings, ScanReport report, ScanOutput output)
    {
        int total;
        try
        {
            total = paths.Sum(path => LatentShards.Find(path).Count());
        }
        catch (LatentBridgeException failure)
        {
            throw new InputException(failure.Message);
        }

        if (total == 0)
        {
            throw new InputException($"There are no files of latents in {string.Join(", ", paths)}. Looked for {string.Join(", ", LatentShards.Endings)}.");
        }

        if (report.ResumedCount > 0)
        {
            _terminal.Note($"{report.ResumedCount} of {total} shards were scanned before.");
        }

        _terminal.Track(total, onShard => new DatasetScan(settings, report).Run(paths.SelectMany(LatentShards.Find), output.Write, onShard, CancellationToken.None));
    }

    ScanSettings Settings(ParseResult parsed, string[] paths) => new()
    {
        Request = _latent.Request(parsed),
        Decoder = parsed.GetValue(_decoder)!,
        Threads = parsed.ThreadCount(_threads),
        Images = parsed.GetValue(_images),
        ReadPicture = file =>
        {
            var image = PictureFiles.ReadImage(file);
            return (image.ToRgb(), image.Width, image.Height);
        },
        Previews = parsed.GetValue(_preview),
        Paths = paths,
        PreviewSize = parsed.GetValue(_size),
    };
}
