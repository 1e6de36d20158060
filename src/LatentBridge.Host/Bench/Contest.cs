using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Onnx.Export;
using LatentBridge.Onnx.Runtime;
using LatentBridge.Simd;

namespace LatentBridge.Host.Bench;

/// <summary>One piece of work: a network, its input of channels x height x width, and the threads it may use.</summary>
sealed record ContestCase(string Kind, string Weights, float[] Input, int Channels, int Height, int Width, int Threads);

/// <summary>Has us and our peers do the same work in turns.</summary>
/// <param name="folder">A folder for inputs and outputs.</param>
/// <param name="note">Gets the differences of the results.</param>
sealed class Contest(string folder, Action<string> note)
{
    const double Megabyte = 1024 * 1024;

    int _files;

    /// <summary>A row for each peer that was found, or one without.</summary>
    /// <param name="name">The row's name.</param>
    /// <param name="work">The work.</param>
    /// <param name="rounds">How often each does it.</param>
    /// <param name="withTorch">Whether PyTorch is one of them, if it is there.</param>
    internal IEnumerable<BenchRow> Measure(string name, ContestCase work, int rounds, bool withTorch = true)
    {
        string input = Write(work.Input);
        (PeerProcess us, string ourResult) = Ours(work, input, null);
        List<(PeerProcess Peer, string Result)> peers = [];
        string model = Model(work.Weights);
        if ((StartAny(["onnx_network.py", "onnx_network.js"], [model, input, .. Size(work)]) ?? StartBuiltIn(work, model, input)) is { } onnx)
        {
            peers.Add(onnx);
        }

        if (StartAny(["ncnn_network.py"], [work.Kind, work.Weights, input, .. Size(work)]) is { } ncnn)
        {
            peers.Add(ncnn);
        }

        if (withTorch && StartAny(["torch_network.py"], [work.Kind, work.Weights, input, .. Size(work)]) is { } torch)
        {
            peers.Add(torch);
        }

        Samples ours = new();
        Samples[] theirs = [.. peers.Select(_ => new Samples())];
        for (int round = 0; round < rounds; round++)
        {
            ours.Add(DecodersBench.Turn(us));
            for (int i = 0; i < peers.Count; i++)
            {
                theirs[i].Add(DecodersBench.Turn(peers[i].Peer));
            }
        }

        foreach ((PeerProcess peer, string result) in peers)
        {
            note($"{name}: {Difference(ourResult, result, work.Kind)} from {peer.Name}");
        }

        BenchRow row = new(name, "ms", ours.Median);
        BenchRow[] rows = peers.Count == 0 ? [row] : [.. peers.Select((peer, i) => row with { Peer = theirs[i].Median, PeerName = peer.Peer.Name })];
        us.Dispose();
        peers.ForEach(peer => peer.Peer.Dispose());
        return rows;
    }

    /// <summary>A narrower kernel; the peer is the widest of this machine.</summary>
    internal BenchRow MeasureWidth(string name, ContestCase work, int rounds, KernelWidth width)
    {
        string input = Write(work.Input);
        using PeerProcess widest = Ours(work, input, null).Process;
        using PeerProcess narrow = Ours(work, input, width).Process;
        Samples ours = new(), theirs = new();
        for (int round = 0; round < rounds; round++)
        {
            ours.Add(DecodersBench.Turn(narrow));
            theirs.Add(DecodersBench.Turn(widest));
        }

        return new($"{name} {KernelName(width)}", "ms", ours.Median, null, theirs.Median, widest.Name);
    }

    /// <summary>Our time for a work against our time for a known one, times a factor.</summary>
    internal BenchRow MeasureAgainst(string name, ContestCase work, ContestCase known, double factor, string what, int rounds)
    {
        using PeerProcess us = StartOurs(work, Write(work.Input), NetworkTurns.NoResult, null);
        using PeerProcess yardstick = StartOurs(known, Write(known.Input), NetworkTurns.NoResult, null);
        Samples ours = new(), theirs = new();
        for (int round = 0; round < rounds; round++)
        {
            ours.Add(DecodersBench.Turn(us));
            theirs.Add(DecodersBench.Turn(yardstick));
        }

        return new(name, "ms", ours.Median, null, theirs.Median * factor, what);
    }

    /// <summary>The most memory that a process took which decoded twice, runtime, input and picture included.</summary>
    internal BenchRow MeasureMemory(string name, ContestCase work)
    {
        using PeerProcess us = StartOurs(work, Write(work.Input), NetworkTurns.NoResult, null);
        DecodersBench.Turn(us);
        return new(name, "MB", us.PeakMemoryBytes / Megabyte);
    }

    /// <summary>Time for a pixel of the large picture over time for one of the small: 1 is linear growth.</summary>
    internal BenchRow MeasureGrowth(string name, ContestCase small, ContestCase large)
    {
        using PeerProcess few = StartOurs(small, Write(small.Input), NetworkTurns.NoResult, null);
        using PeerProcess many = StartOurs(large, Write(large.Input), NetworkTurns.NoResult, null);
        Samples fewTimes = new(), manyTimes = new();
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < 5; i++)
            {
                fewTimes.Add(DecodersBench.Turn(few));
            }

            manyTimes.Add(DecodersBench.Turn(many));
        }

        double cells = (double)large.Height * large.Width / small.Height / small.Width;
        return new(name, "x", manyTimes.Median / fewTimes.Median / cells);
    }

    (PeerProcess Process, string Result) Ours(ContestCase work, string input, KernelWidth? width)
    {
        string result = NextFile();
        return (StartOurs(work, input, result, width), result);
    }

    static PeerProcess StartOurs(ContestCase work, string input, string result, KernelWidth? width) => PeerProcess.StartOurs(
        [NetworkTurns.Command, work.Kind, work.Weights, input, .. Size(work), result], width is { } narrower ? KernelName(narrower) : null);

    (PeerProcess Peer, string Result)? StartAny(string[] scripts, string[] arguments)
    {
        string result = NextFile();
        return scripts.Select(script => PeerProcess.TryStart(script, [.. arguments, result])).FirstOrDefault(peer => peer is not null) is { } peer ? (peer, result) : null;
    }

    // This program's ONNX Runtime, where neither Python nor node has one.
    (PeerProcess Peer, string Result)? StartBuiltIn(ContestCase work, string model, string input)
    {
        if (OnnxLibrary.Missing is not null || work.Kind == NetworkTurns.EncodeKind)
        {
            return null;
        }

        string result = NextFile();
        return (PeerProcess.StartOurs([NetworkTurns.Command, NetworkTurns.OnnxKind, model, input, .. Size(work), result], null), result);
    }

    /// <summary>The network of a weight file as an ONNX model.</summary>
    internal string Model(string weights)
    {
        string path = Path.Combine(folder, Path.GetFileNameWithoutExtension(weights) + ".onnx");
        if (!File.Exists(path))
        {
            File.WriteAllBytes(path, OnnxExport.Convert(LatentDecoders.Networks.Look(weights)[0]));
        }

        return path;
    }

    static string KernelName(KernelWidth width) => width.ToString().ToLowerInvariant();

    static string[] Size(ContestCase work) =>
        [.. new[] { work.Channels, work.Height, work.Width, work.Threads }.Select(number => number.ToString(CultureInfo.InvariantCulture))];

    string Write(float[] values)
    {
        string path = NextFile();
        NetworkTurns.WriteFloats(path, values);
        return path;
    }

    string NextFile() => Path.Combine(folder, $"{_files++}.f32");

    // Pictures: ours has 8 bits, so half a level lies in the rounding. Latents: as they are.
    static string Difference(string ours, string theirs, string kind)
    {
        float[] a = NetworkTurns.ReadFloats(ours), b = NetworkTurns.ReadFloats(theirs);
        if (a.Length != b.Length)
        {
            throw new LatentBridgeException($"The results have {a.Length} and {b.Length} values: these are not the same networks.");
        }

        bool isLatent = kind == NetworkTurns.EncodeKind;
        float worst = 0;
        for (int i = 0; i < a.Length; i++)
        {
            float other = isLatent ? b[i] : Math.Clamp(b[i], 0, 1);
            worst = Math.Max(worst, Math.Abs(a[i] - other));
        }

        return isLatent
            ? string.Create(CultureInfo.InvariantCulture, $"differs by {worst:0.000000} at most")
            : string.Create(CultureInfo.InvariantCulture, $"differs by {worst * 255:0.00} levels of 255 at most, rounding included,");
    }
}
