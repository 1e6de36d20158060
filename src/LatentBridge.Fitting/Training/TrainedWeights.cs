using LatentBridge.Decoders;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Files;
using LatentBridge.Weights;

namespace LatentBridge.Fitting.Training;

/// <summary>The numbers of a tiny decoder, as the tensors of its file.</summary>
/// <param name="Channels">Of the latent.</param>
/// <param name="Side">Pixels per cell and side.</param>
/// <param name="Tensors">By the names that <c>models/tiny/README.md</c> has.</param>
public sealed record TrainedWeights(int Channels, int Side, IReadOnlyDictionary<string, float[]> Tensors)
{
    /// <summary>What a file says of its network.</summary>
    internal const string ArchitectureName = "latentbridge-tiny";

    /// <summary>Writes an F16 safetensors file; one that is there is replaced only when the new one is complete.</summary>
    /// <param name="path">The file.</param>
    /// <param name="metadata">What it says beside the architecture and the channels: the latent format, where it comes from, the licence.</param>
    /// <exception cref="LatentBridgeException">The file cannot be written.</exception>
    public void Write(string path, IReadOnlyDictionary<string, string> metadata) => SafetensorsWriter.Write(path, Stored(), Metadata(metadata));

    /// <summary>The decoder that its file would make.</summary>
    public ILatentDecoder ToDecoder()
    {
        using MemoryStream file = new();
        SafetensorsWriter.Write(file, Stored(), Metadata(new Dictionary<string, string> { ["latent_format"] = "SD15" }));
        using NetworkTensors tensors = LatentDecoders.Networks.Parse(file.ToArray(), "trained");
        return new TinyDecoder(tensors);
    }

    /// <summary>Reads a tiny decoder's file.</summary>
    /// <exception cref="LatentBridgeException">It is none, or damaged.</exception>
    public static TrainedWeights Read(string path)
    {
        using NetworkTensors tensors = LatentDecoders.Networks.Open(path, ArchitectureName);
        return Of(tensors);
    }

    /// <summary>The decoder whose picture is this one's reduced by area average.</summary>
    /// <param name="side">Pixels per cell and side; divides this one's.</param>
    /// <remarks>The last layer's outputs are [colour][dy][dx], and a mean of outputs is the output of the mean weights.</remarks>
    internal TrainedWeights Reduce(int side)
    {
        int factor = Side / side;
        Dictionary<string, float[]> reduced = new(Tensors);
        foreach ((string name, int length) in (ReadOnlySpan<(string, int)>)[("conv_out.weight", 9 * 64), ("conv_out.bias", 1)])
        {
            float[] mean = new float[3 * side * side * length];
            for (int i = 0; i < Tensors[name].Length; i++)
            {
                (int output, int rest) = Math.DivRem(i, length);
                (int colour, int dy, int dx) = (output / (Side * Side), output / Side % Side, output % Side);
                mean[(((((colour * side) + (dy / factor)) * side) + (dx / factor)) * length) + rest] += Tensors[name][i] / (factor * factor);
            }

            reduced[name] = mean;
        }

        return this with { Side = side, Tensors = reduced };
    }

    internal static TrainedWeights Of(NetworkTensors tensors) => new(
        tensors.LatentChannels, tensors.Found.Layout.Network!.Shuffle,
        tensors.Found.Layout.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensors.Take(tensor.Name)));

    IEnumerable<StoredTensor> Stored() => TinyDecoder.Network(Channels, Side).Tensors.Select(tensor =>
        StoredTensor.FromValues(tensor.Name, Tensors[tensor.Name], tensor.Dimensions, TensorElementType.F16));

    Dictionary<string, string> Metadata(IReadOnlyDictionary<string, string> more) => new(more)
    {
        ["architecture"] = ArchitectureName,
        ["latent_channels"] = Channels.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}
