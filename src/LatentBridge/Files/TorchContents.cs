using System.Globalization;
using System.Text;

namespace LatentBridge.Files;

/// <summary>
/// The tensors of what was saved: a tensor, or dictionaries and lists of them, however nested. Names are the keys on the
/// way, joined by dots; text among them, and the outermost whole numbers, become metadata, what is not read is named there, everything else is passed over.
/// </summary>
sealed class TorchContents
{
    const int MaximumDepth = 32;
    const int MaximumNodes = 1 << 17;
    const int MaximumNameLength = 512;

    readonly TensorBytes _bytes;
    readonly HashSet<string> _names = new(StringComparer.Ordinal);
    int _nodeCount;

    /// <param name="bytes">The file.</param>
    /// <param name="saved">What was saved.</param>
    /// <param name="unknownName">A name that the pickle asks for and that is not known to be harmless, or null.</param>
    public TorchContents(TensorBytes bytes, object? saved, string? unknownName)
    {
        _bytes = bytes;
        Collect(saved, "", 0);
        if (Tensors.Count == 0 && (unknownName ?? (saved as PickleUnknown)?.Name) is { } unknown)
        {
            throw bytes.Bad(TorchObjects.Refusal(unknown));
        }
    }

    /// <summary>The tensors, in the file's order.</summary>
    public List<TensorEntry> Tensors { get; } = [];

    /// <summary>Text and whole numbers by their names.</summary>
    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    // A list may hold itself or the same list many times over, so both depth and visits are counted.
    void Collect(object? value, string name, int depth)
    {
        if (depth > MaximumDepth || ++_nodeCount > MaximumNodes || name.Length > MaximumNameLength)
        {
            throw _bytes.Bad($"holds containers nested too deep or too many (at most {MaximumDepth} levels, {MaximumNodes} values, names of {MaximumNameLength} characters). The file is damaged or not a file of tensors");
        }

        switch (value)
        {
            case TorchTensor tensor:
                string tensorName = Unique(name);
                Add(tensorName, tensor.ToEntry(tensorName, out string? unsupported), unsupported);
                break;
            case NumpyArray array:
                string arrayName = Unique(name);
                Add(arrayName, array.ToEntry(arrayName, _bytes.Name, out string? why), why);
                break;
            case PickleUnknown unknown:
                Metadata[Unique(name)] = $"{TensorFile.LeftOutPrefix}it is made by {TensorEntry.Shorten(unknown.Name)}, which is not run: weights are data";
                break;
            case string text when name.Length > 0:
                Metadata[name] = text;
                break;
            case long number when depth == 1 && name.Length > 0:
                Metadata[name] = number.ToString(CultureInfo.InvariantCulture);
                break;
            case PickleDictionary dictionary:
                foreach ((object? key, object? item) in dictionary.Items)
                {
                    Collect(item, Join(name, Name(key, 0)), depth + 1);
                }

                break;
            case IReadOnlyList<object?> items:
                for (int i = 0; i < items.Count; i++)
                {
                    Collect(items[i], Join(name, i.ToString()), depth + 1);
                }

                break;
        }
    }

    void Add(string name, TensorEntry? entry, string? unsupported)
    {
        if (entry is null)
        {
            Metadata[name] = TensorFile.LeftOutPrefix + unsupported;
        }
        else
        {
            Tensors.Add(entry);
        }
    }

    /// <summary>The name, with a number behind it where it is taken: keys 1 and "1" are two.</summary>
    string Unique(string name)
    {
        string wanted = name.Length == 0 ? TensorFile.OnlyTensorName : name, free = wanted;
        for (int i = 2; !_names.Add(free); i++)
        {
            free = $"{wanted}#{i}";
        }

        return free;
    }

    /// <summary>A key as Python writes it.</summary>
    static string Name(object? key, int depth) => key switch
    {
        string text => text,
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => number == Math.Floor(number) && Math.Abs(number) < 1e16 ? number.ToString("0.0", CultureInfo.InvariantCulture) : number.ToString("R", CultureInfo.InvariantCulture),
        bool flag => flag ? "True" : "False",
        null => "None",
        StorageType type => type.Name,
        byte[] bytes => Encoding.Latin1.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, MaximumNameLength))),
        object?[] parts when depth == 0 && parts.Length <= 16 => $"({string.Join(", ", parts.Select(part => Name(part, 1)))})",
        _ => "?",
    };

    static string Join(string name, string key) => name.Length == 0 ? key : $"{name}.{key}";
}
