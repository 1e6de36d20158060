using System.CommandLine;
using LatentBridge.Host.Bench;
using LatentBridge.Host.Output;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge bench</c>: timings as ratios to the peers that this machine has, measured in the same run.</summary>
static class BenchCommand
{
    internal static Command Create(Terminal terminal) => new("bench", "Measure speed, as ratios to the peers on this machine.")
    {
        CreateBench(terminal, "bridge", "What the bridge costs the sampler, and how soon pictures arrive.", note => BridgeBench.Run("bridge", note)),
        CreateBench(terminal, "decoders", "Our networks against the same ones in ONNX Runtime and PyTorch.", DecodersBench.Run),
        CreateBench(terminal, "engine", "The engine's figures in one table: all peers of this machine, large pictures, memory, many files.", EngineBench.Run),
        CreateBench(terminal, "learning", "What the bridge costs while a decoder is trained.", note => BridgeBench.Run("learning", note)),
        CreateBench(terminal, "maps", "The decoders with one pixel per cell: polynomials and perceptrons.", MapsBench.Run),
        CreatePlanted(terminal),
        CreateBench(terminal, "scan", "Reading and checking cached latents, in latents a second.", ScanBench.Run),
        CreateTurns(),
        CreateBench(terminal, "png", "Our PNG encoder against Pillow's fastest.", PngBench.Run),
        CreateBench(terminal, "threads", "What more threads are worth, up to all cores of this machine.", ThreadsBench.Run),
        CreateBench(terminal, "video", "The tiny decoders of video latents: time, memory, and the same networks in ONNX Runtime and PyTorch.", VideoBench.Run),
    };

    static Command CreateBench(Terminal terminal, string name, string description, Func<Action<string>, IReadOnlyList<BenchRow>> measure)
    {
        Command command = new(name, description);
        Option<bool> json = command.Json();
        command.SetAction(parsed => BenchReport.Write(terminal, terminal.While($"Measuring {name} ...", () => measure(terminal.Note)), parsed.GetValue(json)));
        return command;
    }

    static Command CreatePlanted(Terminal terminal)
    {
        Command command = new("planted", "What `scan` finds of faults planted in a made-up data set: recall and precision.");
        Option<int> count = new Option<int>("--count") { Description = "Number of latents.", HelpName = "N", DefaultValueFactory = _ => 10_000 }.Within(200, 1_000_000);
        command.Add(count);
        command.SetAction(parsed => terminal.Write(terminal.While("Scanning planted faults ...", () => PlantedBench.Run(parsed.GetValue(count)))));
        return command;
    }

    // How `bench decoders` starts this program as one of the contenders.
    static Command CreateTurns()
    {
        Command command = new(NetworkTurns.Command) { Hidden = true };
        Argument<string[]> arguments = new("ARGUMENT") { Arity = new ArgumentArity(8, 8) };
        command.Add(arguments);
        command.SetAction(parsed => NetworkTurns.Run(parsed.GetValue(arguments)!));
        return command;
    }
}
