using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace LatentBridge.Files;

/// <summary>
/// Runs a pickle as far as data needs: constants, containers, the memo, and calls of what <see cref="PickleObjects"/>
/// allows. A pickle is a program for a stack machine; this machine has no instruction that could reach anything else.
/// </summary>
/// <remarks>
/// None is null; int is <see cref="long"/> (<see cref="BigInteger"/> above 8 bytes); a tuple is <c>object?[]</c>, a list
/// <c>List&lt;object?&gt;</c>, a dictionary <see cref="PickleDictionary"/>. Work and memory are bounded by
/// <see cref="MaximumOperations"/> and by the bytes read: no instruction copies what is already there.
/// </remarks>
sealed partial class PickleMachine(ByteCursor input, PickleObjects objects)
{
    const int MaximumOperations = 1_000_000;
    const int MaximumNameLength = 512;
    const int MaximumIntegerLength = 64;
    const int MaximumLineLength = 1 << 20;

    readonly List<object?> _stack = [];
    readonly Stack<int> _marks = [];
    readonly Dictionary<long, object?> _memo = [];

    /// <summary>Runs to the STOP instruction; the input then stands behind it.</summary>
    public object? Run()
    {
        for (int count = 0; count < MaximumOperations; count++)
        {
            byte operation = input.ReadByte();
            if (operation == '.')
            {
                return Pop();
            }

            Step(operation);
        }

        throw Bad($"is longer than {MaximumOperations} instructions");
    }

    void Step(byte operation)
    {
        switch (operation)
        {
            case 0x80: Protocol(input.ReadByte()); break;
            case 0x95: input.Skip(8); break;                                        // FRAME

            case (byte)'N': Push(null); break;
            case 0x88: Push(true); break;
            case 0x89: Push(false); break;
            case (byte)'J': Push((long)(int)input.ReadUInt32()); break;             // BININT
            case (byte)'K': Push((long)input.ReadByte()); break;
            case (byte)'M': Push((long)input.ReadUInt16()); break;
            case 0x8A: PushInteger(input.ReadByte()); break;                        // LONG1
            case 0x8B: PushInteger(input.ReadUInt32()); break;                      // LONG4
            case (byte)'G': Push(input.ReadDoubleBigEndian()); break;
            case (byte)'I': PushIntegerOrFlag(input.ReadLine(MaximumIntegerLength)); break;
            case (byte)'F': PushDouble(input.ReadLine(MaximumIntegerLength)); break;
            case (byte)'L': PushInteger(input.ReadLine(MaximumIntegerLength).TrimEnd('L')); break;
            case (byte)'X': Push(input.ReadText(input.ReadUInt32())); break;        // BINUNICODE
            case 0x8C: Push(input.ReadText(input.ReadByte())); break;
            case 0x8D: Push(input.ReadText(input.ReadInt64())); break;
            case (byte)'T': Push(Latin1(input.ReadUInt32())); break;                // BINSTRING (Python 2)
            case (byte)'U': Push(Latin1(input.ReadByte())); break;
            case (byte)'B': Push(input.ReadBytes(input.ReadUInt32())); break;       // BINBYTES
            case (byte)'C': Push(input.ReadBytes(input.ReadByte())); break;
            case 0x8E: Push(input.ReadBytes(input.ReadInt64())); break;
            case 0x96: Push(input.ReadBytes(input.ReadInt64())); break;             // BYTEARRAY8
            case (byte)'V': Push(Unescape(input.ReadLine(MaximumLineLength))); break; // UNICODE
            case (byte)'S': Push(Unquote(input.ReadLine(MaximumLineLength))); break; // STRING

            case (byte)'(': _marks.Push(_stack.Count); break;                       // MARK
            case (byte)')': Push(Array.Empty<object?>()); break;
            case (byte)'t': Push(PopToMark()); break;
            case 0x85: Push(PopMany(1)); break;
            case 0x86: Push(PopMany(2)); break;
            case 0x87: Push(PopMany(3)); break;
            case (byte)']': Push(new List<object?>()); break;
            case (byte)'l': Push(new List<object?>(PopToMark())); break;
            case (byte)'a': Append([Pop()]); break;
            case (byte)'e': Append(PopToMark()); break;
            case 0x8F: Push(new List<object?>()); break;                            // EMPTY_SET
            case 0x90: Append(PopToMark()); break;                                  // ADDITEMS
            case 0x91: Push(new List<object?>(PopToMark())); break;                 // FROZENSET
            case (byte)'}': Push(new PickleDictionary()); break;
            case (byte)'d': object?[] pairs = PopToMark(); Push(new PickleDictionary()); SetItems(pairs); break;
            case (byte)'s': SetItems(PopMany(2)); break;
            case (byte)'u': SetItems(PopToMark()); break;

            case (byte)'0': Pop(); break;
            case (byte)'1': PopToMark(); break;
            case (byte)'2': Push(Peek()); break;                                    // DUP
            case (byte)'q': _memo[input.ReadByte()] = Peek(); break;
            case (byte)'r': _memo[input.ReadUInt32()] = Peek(); break;
            case 0x94: _memo[_memo.Count] = Peek(); break;                          // MEMOIZE
            case (byte)'p': _memo[ReadIndex()] = Peek(); break;
            case (byte)'g': Push(Recall(ReadIndex())); break;
            case (byte)'h': Push(Recall(input.ReadByte())); break;
            case (byte)'j': Push(Recall(input.ReadUInt32())); break;

            case (byte)'c': Push(objects.Global(input.ReadLine(MaximumNameLength), input.ReadLine(MaximumNameLength))); break;
            case 0x93: Push(GlobalOf(PopMany(2))); break;                           // STACK_GLOBAL
            case (byte)'R': Reduce(PopMany(2)); break;
            case (byte)'i': Push(Instance(objects.Global(input.ReadLine(MaximumNameLength), input.ReadLine(MaximumNameLength)), PopToMark())); break;
            case (byte)'o': object?[] call = PopToMark(); Push(Instance(call is [{ } of, ..] ? of : null, [.. call.Skip(1)])); break;
            case 0x81: Reduce(PopMany(2)); break;                                   // NEWOBJ
            case 0x92: object?[] made = PopMany(3); Reduce([made[0], made[1]]); break; // NEWOBJ_EX
            case (byte)'b': object? state = Pop(); objects.Build(Peek(), state); break; // BUILD
            case (byte)'Q': Push(objects.Persistent(Pop())); break;                 // BINPERSID
            case (byte)'P': Push(objects.Persistent(input.ReadLine(MaximumLineLength))); break;
            case 0x82: Push(Extension(input.ReadByte())); break;                    // EXT1, EXT2, EXT4: a name that only the writer knows
            case 0x83: Push(Extension(input.ReadUInt16())); break;
            case 0x84: Push(Extension(input.ReadUInt32())); break;
            case 0x97: Push(new PickleUnknown("a buffer outside the pickle")); break; // NEXT_BUFFER
            case 0x98: break;                                                       // READONLY_BUFFER

            default: throw Bad($"has instruction 0x{operation:X2} at {input.Position - 1}, which no file of tensors needs");
        }
    }

    void Protocol(byte version)
    {
        if (version > 5)
        {
            throw Bad($"has pickle protocol {version}; up to 5 are supported");
        }
    }

    void PushInteger(long byteLength)
    {
        if (byteLength > MaximumIntegerLength)
        {
            throw Bad($"has an integer of {byteLength} bytes; at most {MaximumIntegerLength} are accepted");
        }

        PushInteger(new BigInteger(input.ReadBytes(byteLength)));
    }

    void PushInteger(string text)
    {
        if (!BigInteger.TryParse(text, out BigInteger value))
        {
            throw Bad($"has \"{TensorEntry.Shorten(text)}\" where an integer is expected");
        }

        PushInteger(value);
    }

    void PushInteger(BigInteger value)
    {
        bool fits = value >= long.MinValue && value <= long.MaxValue;
        Push(fits ? (object)(long)value : value);
    }

    void PushIntegerOrFlag(string text)
    {
        if (text is "00" or "01")
        {
            Push(text == "01");
        }
        else
        {
            PushInteger(text);
        }
    }

    void PushDouble(string text)
    {
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
        {
            throw Bad($"has \"{TensorEntry.Shorten(text)}\" where a number is expected");
        }

        Push(value);
    }

    long ReadIndex() => long.TryParse(input.ReadLine(MaximumIntegerLength), NumberStyles.None, CultureInfo.InvariantCulture, out long index)
        ? index
        : throw Bad("stores a memo under no number");

    // Protocol 0: Latin-1 with \uXXXX, \UXXXXXXXX.
    static string Unescape(string line) => Escape().Replace(line, match =>
        uint.TryParse(match.Groups[1].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint code) && Rune.IsValid(code) ? new Rune(code).ToString() : "?");

    // Protocol 0: Python's repr of a byte string.
    static string Unquote(string line)
    {
        string text = line.Length >= 2 && line[0] == line[^1] && line[0] is '\'' or '"' ? line[1..^1] : line;
        return ByteEscape().Replace(text, match => match.Value[1] switch
        {
            'x' => ((char)Convert.ToByte(match.Groups[1].Value, 16)).ToString(),
            'n' => "\n",
            'r' => "\r",
            't' => "\t",
            char other => other.ToString(),
        });
    }

    object? Instance(object? callable, object?[] arguments) => callable is null ? throw Bad("makes something of nothing") : objects.Call(callable, arguments);

    static PickleUnknown Extension(long code) => new($"extension {code}");

    string Latin1(long length) => Encoding.Latin1.GetString(input.ReadBytes(length));

    object GlobalOf(object?[] names) => names is [string module, string name]
        ? objects.Global(module, name)
        : throw Bad("names a global by something else than text");

    void Reduce(object?[] call)
    {
        if (call is not [{ } callable, object?[] arguments])
        {
            throw Bad("calls something that is not callable");
        }

        Push(objects.Call(callable, arguments));
    }

    void Append(object?[] items)
    {
        if (Peek() is PickleUnknown)
        {
            return;
        }

        if (Peek() is not List<object?> list)
        {
            throw Bad("appends to something that is no list");
        }

        list.AddRange(items);
    }

    void SetItems(object?[] items)
    {
        if (Peek() is PickleUnknown)
        {
            return;
        }

        if (Peek() is not PickleDictionary dictionary || items.Length % 2 != 0)
        {
            throw Bad("sets items of something that is no dictionary");
        }

        for (int i = 0; i < items.Length; i += 2)
        {
            dictionary.Items.Add((items[i], items[i + 1]));
        }
    }

    object? Recall(long index) => _memo.TryGetValue(index, out object? value)
        ? value
        : throw Bad($"recalls memo {index}, which it never stored");

    void Push(object? value) => _stack.Add(value);

    object? Peek() => _stack.Count > Floor ? _stack[^1] : throw Bad("takes from an empty stack");

    object? Pop() => PopMany(1)[0];

    object?[] PopMany(int count)
    {
        int start = _stack.Count - count;
        return start >= Floor ? Take(start) : throw Bad("takes from an empty stack");
    }

    object?[] PopToMark() => _marks.TryPop(out int start) ? Take(start) : throw Bad("has no mark where one is needed");

    object?[] Take(int start)
    {
        object?[] taken = [.. _stack.GetRange(start, _stack.Count - start)];
        _stack.RemoveRange(start, taken.Length);
        return taken;
    }

    int Floor => _marks.TryPeek(out int mark) ? mark : 0;

    [GeneratedRegex(@"\\(?:u(?<1>[0-9a-fA-F]{4})|U(?<1>[0-9a-fA-F]{8}))")]
    private static partial Regex Escape();

    [GeneratedRegex(@"\\(?:x([0-9a-fA-F]{2})|[^x])")]
    private static partial Regex ByteEscape();

    LatentBridgeException Bad(string what) => input.Bytes.Bad($"the pickle in it {what}. The file is damaged or not a file of tensors");
}
