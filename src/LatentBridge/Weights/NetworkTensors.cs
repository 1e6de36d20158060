using LatentBridge.Files;

namespace LatentBridge.Weights;

/// <summary>
/// The tensors of one network under the names its architecture gives them, whatever the file spells. Names and shapes were
/// checked when the network was recognised; the numbers are checked as they are taken.
/// </summary>
sealed class NetworkTensors : IDisposable
{
    readonly TensorFile _file;

    internal NetworkTensors(FoundWeights found, TensorFile file)
    {
        Found = found;
        _file = file;
    }

    /// <summary>What was recognised.</summary>
    public FoundWeights Found { get; }

    /// <summary>Latent channels of the network.</summary>
    public int LatentChannels => Found.Channels;

    /// <summary>Whether the network has this tensor.</summary>
    public bool Has(string name) => Found.Has(name);

    /// <summary>A tensor's numbers as F32, row-major.</summary>
    /// <exception cref="LatentBridgeException">It is missing, or a number is NaN or infinite.</exception>
    public float[] Take(string name)
    {
        var values = new float[checked((int)Entry(name).Length)];
        Take(name, values);
        return values;
    }

    /// <summary>Copies a tensor's numbers as F32, row-major, into memory of just its length.</summary>
    /// <exception cref="LatentBridgeException">It is missing, or a number is NaN or infinite.</exception>
    public void Take(string name, Span<float> destination)
    {
        Entry(name).CopyTo(destination);
        for (int i = 0; i < destination.Length; i++)
        {
            if (!float.IsFinite(destination[i]))
            {
                throw new LatentBridgeException($"'{Found.Path}': number {i} of tensor '{FileKey(name)}' is {destination[i]}; finite numbers were expected. The file is damaged; download it again.");
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    string FileKey(string name) => Found.Prefix + TensorShapes.ShiftIndex(name, Found.IndexShift);

    TensorEntry Entry(string name) =>
        _file.Find(FileKey(name)) ?? throw new LatentBridgeException($"'{Found.Path}': tensor '{FileKey(name)}' is missing.");
}
